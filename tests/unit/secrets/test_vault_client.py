"""What answers in the place of Vault, and isn't."""

from __future__ import annotations

import pytest

from syncline.model.errors import Stalled
from syncline.secrets.vault_client import VaultClient
from tests.api_server import Reply, api_server


@pytest.mark.parametrize("login", [{"VAULT_TOKEN": "t"}, {"VAULT_ROLE_ID": "r"}])
@pytest.mark.parametrize("answer", [{"ok": True}, {"auth": None, "data": []}, {"auth": {}}, [1]])
def test_another_service_is_no_vault(login: dict[str, str], answer: object):
    """JSON of another form says so, by a code and without a traceback, whichever way we log in."""
    with api_server(lambda _: Reply(answer)) as server:
        client = VaultClient.of({"VAULT_ADDR": server.url, **login})
        with pytest.raises(Stalled, match="isn't Vault") as caught:
            client.get("secret/data/acme/crm")
    assert caught.value.code == "SYN822"
