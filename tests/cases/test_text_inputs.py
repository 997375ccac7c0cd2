"""The inputs that failed for users, each through the command a user typed.

They lie outside of the repository, in `../shared/cases`; without them these tests are skipped. The
kinds they stand for have tests of their own, beside the modules.
"""


def test_nested_fields_are_refused(zoo_command, shared_case) -> None:
    ended = zoo_command("data", shared_case("text/json_shapes") / "nested.jsonl", code=1)
    assert "nested.jsonl" in ended.stderr
