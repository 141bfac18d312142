"""The course that goes with the lecture: exercises, a quiz, and derivations in numbers.

- `exercises`: a file to complete for each gradient; what is wrong with it is said in words, without the
  solution. ``npvae exercise`` is its command.
- `quiz`: short pieces of code, wrong ones and right ones that look wrong; what the checker says of each, and
  what training with it does, measured. ``npvae quiz`` is its command.
- `derive`: the derivations in core's docstrings, with the numbers of a small example filled in line by line.
  ``npvae derive`` is its command.
"""
