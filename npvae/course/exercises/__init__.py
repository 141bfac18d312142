"""Exercises in deriving gradients: one file each, to be completed by a student and checked by npvae.

In reading order: ``exercise`` (what an exercise is), ``catalogue`` and ``codes`` (all of them, with their
hints and the mistakes that are recognised), ``points`` (where they are checked), ``templates/`` (the files
that students start from), ``answer`` (what a check finds), ``calling`` (a student's functions), ``pairs``,
``way_back``, ``network`` and ``training`` (how they are checked), ``check`` (a file), ``process`` (the same
in a process of its own, with limits), ``notebook`` (what a folder of files has passed) and ``grading``
(many submissions at once).
"""
