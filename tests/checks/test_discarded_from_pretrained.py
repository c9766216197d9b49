"""FRZ508 on traces made by hand."""

from typing import Any

from freezelint.checks.freezes.discarded_from_pretrained import check
from tests.story import Story, at, plain


def words_and_head() -> Story:
    story = Story()
    story.model({"emb": plain((20, 4)), "fc": plain()}, fresh=True)
    return story


def embedding(**fields: Any) -> dict[str, Any]:
    return {"name": "from_pretrained", "value": "self.emb", "class_name": "Embedding", **fields}


def test_silent_without_such_a_call() -> None:
    assert not list(check(words_and_head().trace("source")))


def test_silent_when_it_is_there_to_see_whether_it_raises() -> None:
    story = words_and_head()
    story.event("discarded", 3, modules=((0, "emb"),), **embedding(observed=True))
    assert not list(check(story.trace("source")))


def test_an_embedding_of_a_model() -> None:
    story = words_and_head()
    story.event("discarded", 3, modules=((0, "emb"),), **embedding())
    (fault,) = check(story.trace("source"))
    assert fault.location == at(3)
    assert fault.message == (
        "`self.emb.from_pretrained(…)` makes a new Embedding, and the statement throws it away: `self.emb` "
        "keeps the weights that it had; assign the result: `self.emb = nn.Embedding.from_pretrained(…)` "
        "(with `freeze=False`, if it is to be trained)"
    )
    assert fault.subjects == ("model.emb.weight",)


def test_a_statement_that_runs_twice_is_one_finding() -> None:
    story = words_and_head()
    story.event("discarded", 3, modules=((0, "emb"),), **embedding())
    story.event("discarded", 3, modules=((0, "emb"),), **embedding())
    assert len(list(check(story.trace("source")))) == 1


def test_a_transformer_in_code_that_nothing_calls() -> None:
    story = Story()
    story.event("discarded", 8, name="from_pretrained", value="bert", class_name="BertModel", fragment=True)
    (fault,) = check(story.trace("source"))
    assert fault.message.endswith("assign the result: `bert = BertModel.from_pretrained(…)`")


def test_a_class_that_loads_for_nobody() -> None:
    story = Story()
    story.event("discarded", 8, **embedding(value="nn.Embedding"))
    (fault,) = check(story.trace("source"))
    assert "nothing uses it; assign it where the model looks for it" in fault.message
