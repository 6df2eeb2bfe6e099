"""A secret never shows itself."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from dataclasses import asdict, astuple, dataclass
from io import StringIO
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter
from rich.console import Console
from rich.pretty import pretty_repr

from deploy.settings import Environment, Secret

from .repository import GOOD, loaded

VALUE = "correct-horse-battery"


@pytest.fixture
def secret() -> Secret:
    return Secret("SESSION_KEY", VALUE)


def test_reveal_is_the_one_way(secret: Secret) -> None:
    assert secret.reveal() == VALUE


def test_whatever_prints_it_prints_a_mask(secret: Secret) -> None:
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret:>40}",
        "%s %r" % (secret, secret),  # noqa: UP031
        repr({"key": [secret]}),
        pretty_repr(secret),
        str(getattr(secret, "__dict__", "")),
        json.dumps({"key": secret}, default=str),
    ]
    assert "********" in shown[0]
    assert not any(VALUE in text for text in shown)


def test_it_can_be_neither_pickled_nor_written_as_json(secret: Secret) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="SESSION_KEY is not pickled"):
            pickle.dumps(secret, protocol)
    with pytest.raises(TypeError):
        json.dumps(secret)


def test_what_takes_an_object_apart_gets_nothing(secret: Secret) -> None:
    with pytest.raises(TypeError, match="SESSION_KEY is not pickled"):
        secret.__getstate__()
    with pytest.raises(TypeError):
        vars(secret)
    with pytest.raises(TypeError):
        yaml.dump(secret)
    with pytest.raises(TypeError) as caught:
        "".join(["x", secret])  # type: ignore[list-item]
    assert VALUE not in str(caught.value)


@dataclass(frozen=True)
class _Login:
    user: str
    secret: Secret


def test_a_dataclass_does_not_show_it(secret: Secret) -> None:
    login = _Login("acme", secret)
    shown = f"{login} {login!r} {asdict(login)} {astuple(login)} {RuntimeError(login)!r}"
    assert shown.count("********") == 5
    assert VALUE not in shown


def test_a_value_that_is_not_utf_8() -> None:
    broken = b"\xff-horse".decode("utf-8", "surrogateescape")
    assert Secret("A", broken) == Secret("B", broken)
    assert Secret("A", broken) != Secret("A", VALUE)


class _Holder(BaseModel):
    secret: Secret


def test_pydantic_dumps_a_mask(secret: Secret) -> None:
    holder = _Holder(secret=secret)
    for dumped in (
        holder.model_dump_json(),
        str(holder.model_dump()),
        str(holder.model_dump(mode="json")),
        repr(holder),
        TypeAdapter(Secret).dump_json(secret).decode(),
    ):
        assert "********" in dumped
        assert VALUE not in dumped
    with pytest.raises(ValueError, match="instance of Secret"):
        _Holder.model_validate({"secret": VALUE})


def test_tracebacks_and_logs_do_not_show_it(secret: Secret) -> None:
    def fails(argument: Secret) -> None:
        raise RuntimeError(f"with {argument} and {argument!r}")

    log = StringIO()
    handler = logging.StreamHandler(log)
    logger = logging.getLogger("a test of secrets")
    logger.addHandler(handler)
    try:
        fails(secret)
    except RuntimeError as error:
        logger.exception("failed with %s", secret)
        text = "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )
        console = Console(file=StringIO(), width=200)
        console.print_exception(show_locals=True)
        assert isinstance(console.file, StringIO)
        text += console.file.getvalue()
    logger.removeHandler(handler)
    text += log.getvalue()
    assert text.count("Secret('SESSION_KEY', '********')") >= 3
    assert VALUE not in text


def test_equality_and_copies(secret: Secret) -> None:
    assert secret == Secret("OTHER", VALUE)
    assert hash(secret) == hash(Secret("OTHER", VALUE))
    assert secret != Secret("SESSION_KEY", "é")
    assert secret != VALUE
    assert copy.deepcopy([secret])[0] is secret
    assert copy.copy(secret) is secret


def test_an_environment_does_not_show_its_secrets(tmp_path: Path) -> None:
    environment: Environment = loaded(
        tmp_path, f"{GOOD}secrets: [SESSION_KEY]\n", {"SESSION_KEY": VALUE}
    )
    assert environment.secret("SESSION_KEY").reveal() == VALUE
    shown = (
        repr(environment),
        str(environment),
        environment.model_dump_json(),
        pretty_repr(environment),
    )
    assert not any(VALUE in text for text in shown)
