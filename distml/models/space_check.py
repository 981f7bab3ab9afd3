"""A user's space held against the model that it is for."""

from distml.data.task import Outline, Task
from distml.errors import DistmlError, Mistake, did_you_mean
from distml.models.family import Family
from distml.models.registry import parameter_names
from distml.models.space import Choice, Domain, Fixed, Space, Value


def check_space(family: Family, space: Space, task: Task) -> list[Mistake]:
    """All that is wrong with a space: parameters that the model lacks, and values outside its domain.

    Each mistake's `where` is the parameter. Values are tried at the ends of a range and at every option of a choice;
    nothing is trained.
    """
    known = parameter_names(family, task)
    mistakes = []
    for name, domain in space.items():
        if name not in known:
            takes = ", ".join(sorted(short for short in known if "__" not in short))
            what = f"{family.name} has no such parameter for {task}.{did_you_mean(name, known)} It takes: {takes}"
            mistakes.append(Mistake(name, what))
            continue
        refusals = (_refusal(family, name, value, task) for value in extremes(domain))
        mistakes += [Mistake(name, what) for what in dict.fromkeys(filter(None, refusals))]
    return mistakes


def extremes(domain: Domain) -> list[Value]:
    """The values at which a domain leaves the model's own, if it does.

    >>> from distml.models.space import Int
    >>> extremes(Int(0, 300))
    [0, 300]
    """
    if isinstance(domain, Fixed):
        return [domain.value]
    if isinstance(domain, Choice):
        return list(domain.options)
    return [domain.low, domain.high]


def _refusal(family: Family, name: str, value: Value, task: Task) -> str | None:
    if family.check:
        try:
            family.check({name: value}, task)
        except (ValueError, DistmlError) as error:
            return str(error)
    if family.engine == "network" or family.parameters:
        return None  # all that is known of it without training is in its check
    from distml.models.parameters import refusal

    outline = Outline(task=task, features=2, classes=2 if task == "classification" else 0)
    return refusal(family.build({}, outline, 0), name, value)
