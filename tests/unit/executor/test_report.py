"""What rejects say together."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from syncline.executor.previews.report import BARS, MOST, OTHERS, SAMPLES, shape, summarise
from syncline.model.run import PAGE, Reason, Reject


def reject(number=1, field="email", rule="format", value="ada(at)home", file="a.csv"):
    return Reject(f"{file}:{number}", field, rule, value, f"'{value}' is not an address", "{}")


def test_rules_are_counted_with_their_first_samples():
    """The most frequent rule comes first, with a few rejects of it."""
    found = summarise([reject(n) for n in range(20)] + [reject(7, "id", "required", "")])
    assert [(b.field, b.rule, b.count) for b in found.broken] == [("email", "format", 20), ("id", "required", 1)]
    assert len(found.broken[0].samples) == SAMPLES
    assert found.count == 21


def test_a_record_counts_for_each_rule_that_it_breaks_and_once_as_a_reject():
    """So the counts of rules may be more than that of rejects, and each rule has its own samples."""
    both = replace(reject(3), also=(Reason("zip", "pattern", "AB 1", "zip doesn't match"),))
    found = summarise([both, reject(4)])
    assert [(b.field, b.rule, b.count) for b in found.broken] == [("email", "format", 2), ("zip", "pattern", 1)]
    assert found.broken[1].samples[0].value == "AA 9"
    assert (found.count, found.spread[0].count) == (2, 2)


def test_values_show_their_shape_unless_they_are_asked_for():
    """Neither the value nor the reason that quotes it says who it is of."""
    rejects = [reject(value="ada(at)Home7")]
    hidden = summarise(rejects).broken[0].samples[0]
    assert (hidden.value, hidden.message) == ("aaa(aa)Aaaa9", "'aaa(aa)Aaaa9' is not an address")
    assert summarise(rejects, values=True).broken[0].samples[0].value == "ada(at)Home7"
    assert shape("Ёж 12") == "Aa 99"


def test_a_sample_of_an_answer_is_no_reject():
    """What ended a run isn't a record."""
    assert summarise([reject(rule=PAGE)]).count == 0


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=300))
def test_every_reject_is_in_one_part_of_its_file(numbers):
    """However far apart they are, parts add up, and there are never more than fit on the page."""
    (spread,) = summarise(map(reject, numbers)).spread
    assert sum(spread.parts) == spread.count == len(numbers)
    assert (spread.first, spread.last) == (min(numbers), max(numbers))
    assert len(spread.parts) <= BARS
    assert spread.parts[0]
    assert spread.parts[-1]


def test_what_is_kept_is_bounded():
    """Rules and files past a bound are told together."""
    found = summarise(reject(n, f"field{n}", file=f"{n}.csv") for n in range(MOST + 50))
    assert found.count == MOST + 50
    assert found.broken[0].rule == OTHERS
    assert found.broken[0].count == 50
    assert (found.spread[0].file, found.spread[0].count) == (OTHERS, 50)
