"""The stand-in of SciCat held against the models that SciCat generates from its server (scicat-sdk-py)."""

from __future__ import annotations

import inspect
from typing import Any

import aiohttp
import pytest
import scicat_sdk_py
from pydantic import BaseModel
from scicat_sdk_py import api, models

from tests.stand_ins.running import running
from tests.stand_ins.scicat import SciCat, dataset

#: Fields that mongoose adds, and the models do not have.
OF_MONGOOSE = {"_id", "id", "__v"}


@pytest.fixture
async def answers() -> dict[str, Any]:
    """Return what the stand-in answers at each of its addresses."""
    scicat = SciCat(datasets=[dataset("d1", "p12345", "p12345", "/data/p12345/raw")])
    credentials = {"username": "reader", "password": "portal-password"}
    found: dict[str, Any] = {}
    async with running(scicat.app()) as url, aiohttp.ClientSession(f"{url}/api/v3/") as session:
        async with session.post("auth/login", json=credentials) as reply:
            found["auth/login"] = await reply.json()
        headers = {"Authorization": f"Bearer {found['auth/login']['access_token']}"}
        for path in ("users/my/self", "proposals", "proposals/count", "instruments", "datasets"):
            async with session.get(path, headers=headers) as reply:
                found[path] = await reply.json()
    return found


def require_fields(record: dict[str, Any], model: type[BaseModel]) -> None:
    """Check that a model accepts a record, and knows all its fields."""
    known = {one.alias or name for name, one in model.model_fields.items()}
    assert set(record) - OF_MONGOOSE <= known
    assert model.model_validate(record) is not None


async def test_proposals(answers: dict[str, Any]) -> None:
    assert answers["proposals"]
    for record in answers["proposals"]:
        # the models say that these are strings; the server writes null
        periods = [one | {"_id": ""} for one in record["MeasurementPeriodList"]]
        require_fields(record | {"MeasurementPeriodList": periods, "parentProposalId": ""}, models.ProposalClass)
        for one in periods:
            require_fields(one, models.MeasurementPeriodClass)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        pytest.param("auth/login", models.ReturnedAuthLoginDto, id="a token"),
        pytest.param("users/my/self", models.ReturnedUserDto, id="whose it is"),
        pytest.param("proposals/count", models.CountApiResponse, id="a count"),
        pytest.param("instruments", models.Instrument, id="instruments"),
    ],
)
async def test_other_answers(answers: dict[str, Any], path: str, model: type[BaseModel]) -> None:
    records = answers[path] if isinstance(answers[path], list) else [answers[path]]
    assert records
    for record in records:
        require_fields(record, model)


async def test_fields_of_datasets(answers: dict[str, Any]) -> None:
    """Only some fields are asked for, so that the model, which requires more, cannot judge them whole."""
    known = models.OutputDatasetObsoleteDto.model_fields
    aliases = {one.alias or name for name, one in known.items()}
    for record in answers["datasets"]:
        assert set(record) <= aliases


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("/api/v3/auth/login", api.auth_api),
        ("/api/v3/auth/whoami", api.auth_api),
        ("/api/v3/users/my/self", api.users_api),
        ("/api/v3/proposals", api.proposals_api),
        ("/api/v3/proposals/count", api.proposals_api),
        ("/api/v3/instruments", api.instruments_api),
        ("/api/v3/datasets", api.datasets_api),
    ],
)
def test_addresses(path: str, module: Any) -> None:
    assert scicat_sdk_py.__version__
    assert f"resource_path='{path}'" in inspect.getsource(module)
