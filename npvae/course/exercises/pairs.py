"""Check a forward and a backward: the gradient checker's verdict, and known mistakes, in words."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from inspect import signature
from types import ModuleType
from typing import Any

import numpy as np

from npvae.counted import counted
from npvae.course.exercises.answer import Remark
from npvae.course.exercises.calling import CLOSE, Broken, compare, copies, describe, fault_of, function_of
from npvae.course.exercises.exercise import Array, Exercise, Mistake, Task, gradient_name
from npvae.gradcheck import Check, Entry, Report, check_vjp

SEED = 0


def check_pairs(module: ModuleType, exercise: Exercise) -> list[Remark]:
    """Check all functions of an exercise.

    Parameters
    ----------
    module : module
        The student's file.
    exercise : Exercise
        With tasks.

    Returns
    -------
    list of Remark
        One for each gradient, and for whatever else is wrong.
    """
    template = importlib.import_module(f"npvae.course.exercises.templates.{exercise.name}")
    remarks = []
    for task in exercise.tasks:
        for remark in check_task(module, task, template):
            several = len(exercise.tasks) > 1 and not remark.subject.startswith(task.name)
            subject = f"{task.name}_backward, {remark.subject}" if several else remark.subject
            remarks.append(replace(remark, subject=subject))
    return remarks


def check_task(module: ModuleType, task: Task, template: ModuleType) -> list[Remark]:
    """Check one forward and its backward."""
    try:
        forward = function_of(module, f"{task.name}_forward")
        backward = function_of(module, f"{task.name}_backward")
        original = task.reference[0] if task.reference else getattr(template, f"{task.name}_forward")
        args = task.make_args(np.random.default_rng(SEED))
        y, cache = _run_forward(forward, args)
        wrong = compare(y, original(*copies(args))[0])
        if wrong and not _is_given(template, task):
            return [Remark(f"{task.name}_forward", "wrong", wrong)]
        if wrong:
            text = f"it has been changed, and is no longer the exercise's: {wrong}. Put the original back"
            return [Remark(f"{task.name}_forward", "wrong", text)]
        upstream = next(iter(signature(getattr(template, f"{task.name}_backward")).parameters))
        dy = np.random.default_rng(SEED + 1).standard_normal(np.shape(y))
        gradients = _run_backward(backward, dy.copy(), cache, task.wrt)
        found = _check_gradients(task, forward, backward, original, args, dy, upstream, gradients)
        if all(remark.outcome == "passed" for remark in found):
            found += _check_extremes(task, forward, backward)
        return found
    except Broken as broken:
        return [broken.remark]


def _is_given(template: ModuleType, task: Task) -> bool:
    """Say whether the template holds the forward: one that students write returns dots there."""
    y, _ = getattr(template, f"{task.name}_forward")(*task.make_args(np.random.default_rng(SEED)))
    return y is not Ellipsis


def _run_forward(forward: Callable[..., Any], args: Sequence[Array]) -> tuple[Any, Any]:
    returned = forward(*copies(args))
    name = forward.__name__
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise Broken(name, "error", "it must return two things: the result, and the cache for the backward")
    if returned[0] is Ellipsis:
        raise Broken(name, "unfilled", "")
    return returned


def _run_backward(backward: Callable[..., Any], dy: Array, cache: Any, wrt: Sequence[str]) -> dict[str, Any]:
    """Return the gradients by the names of their arguments, dots where they are not written yet."""
    returned = backward(dy, cache)
    name = backward.__name__
    expected = ", ".join(map(gradient_name, wrt))
    if returned is None:
        raise Broken(name, "error", f"it returns nothing; it must end in: return {expected}")
    if not isinstance(returned, tuple | list):
        returned = (returned,)
    if len(returned) != len(wrt):
        raise Broken(
            name, "error", f"it returns {counted(len(returned), 'array')}; it must return {expected}"
        )
    return dict(zip(wrt, returned, strict=True))


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _check_gradients(
    task: Task,
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    original: Callable[..., Any],
    args: list[Array],
    dy: Array,
    upstream: str,
    gradients: dict[str, Any],
) -> list[Remark]:
    found: dict[str, Remark] = {}
    for argument, gradient in gradients.items():
        fault = fault_of(gradient, args[list(task.arguments).index(argument)], argument, upstream)
        if fault is not None:
            found[argument] = fault
    rest = [argument for argument in task.wrt if argument not in found]
    others: list[Remark] = []
    if rest:

        def usable(dy: Array, cache: Any) -> tuple[Any, ...]:
            every = _run_backward(backward, dy, cache, task.wrt)
            return tuple(np.asarray(every[argument]) for argument in rest)

        report = _report(_in_complex(forward, original), usable, args, rest, task)
        doubled = _run_backward(backward, 2 * dy, forward(*copies(args))[1], task.wrt)
        for entry in report.entries:
            gradient, twice = np.asarray(gradients[entry.name]), np.asarray(doubled[entry.name])
            if entry.verdict == "fail" and np.any(gradient) and np.array_equal(gradient, twice):
                words = f"it does not depend on {upstream}, which has to enter as a factor"
                found[entry.name] = Remark("", "wrong", words)
            else:
                found[entry.name] = _remark_on(entry, gradient, task, args, dy)
        if all(found[argument].outcome == "passed" for argument in rest):
            others = [
                Remark(f"{task.name}_backward", "wrong", _failure(check, upstream))
                for check in report.failures
            ]
    named = [replace(found[argument], subject=gradient_name(argument)) for argument in task.wrt]
    return named + others


def _failure(check: Check, upstream: str) -> str:
    if check.name == "unchanged dy":
        return f"it changes {upstream} in place, which others may still need; work on a copy"
    return check.detail


def _in_complex(forward: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a student's forward that leaves complex numbers to the original, which is known to be equal.

    The checker differentiates with complex numbers where it can, and not every function of NumPy takes them.
    """

    def either(*args: Array) -> Any:
        return (original if any(map(np.iscomplexobj, args)) else forward)(*args)

    return either


def _report(
    forward: Callable[..., Any], backward: Callable[..., Any], args: list[Array], wrt: list[str], task: Task
) -> Report:
    try:
        with np.errstate(all="ignore"):
            return check_vjp(forward, backward, args, wrt=wrt, names=task.arguments, seed=SEED)
    except (TypeError, ValueError) as problem:
        raise Broken(f"{task.name}_backward", "error", f"it cannot be checked: {problem}") from problem


def _remark_on(entry: Entry, gradient: Array, task: Task, args: list[Array], dy: Array) -> Remark:
    """Say in words what a gradient looks like."""
    if entry.verdict in ("pass", "kink"):
        return Remark("", "passed")
    if entry.verdict == "inconclusive":
        return Remark("", "wrong", f"it cannot be judged: {entry.hint}")
    words = recognised(task.mistakes, entry.name, gradient, dy, args)
    words = words or (entry.hint if entry.recognised else "")
    return Remark("", "wrong", f"{words} ({describe(entry)})" if words else describe(entry))


def recognised(
    mistakes: Sequence[Mistake], argument: str, gradient: Array, dy: Array, args: list[Array]
) -> str:
    """Return the words for a known mistake; empty where the gradient is none."""
    for mistake in mistakes:
        if mistake.argument == argument:
            wrong = mistake.gradient(dy, *copies(args))
            if np.all(np.abs(gradient - wrong) <= CLOSE * np.max(np.abs(wrong))):
                return mistake.words
    return ""


def _check_extremes(task: Task, forward: Callable[..., Any], backward: Callable[..., Any]) -> list[Remark]:
    """Compare forward and backward with the reference at large numbers."""
    if task.extremes is None or task.reference is None:
        return []
    args = task.extremes()
    right_y, right_cache = task.reference[0](*args)
    y, cache = _run_forward(forward, args)
    size = f"{np.max(np.abs(args[0])):.0f}"
    if wrong := compare(y, right_y):
        words = f"for {task.arguments[0]} of size {size}, {wrong}"
        return [Remark(f"{task.name}_forward", "wrong", words)]
    dy = np.ones_like(right_y)
    (gradient,) = _run_backward(backward, dy, cache, task.wrt).values()
    right = task.reference[1](dy, right_cache)
    if wrong := compare(gradient, right):
        words = f"for {task.arguments[0]} of size {size}, {wrong}"
        return [Remark(f"{task.name}_backward", "wrong", words)]
    return []
