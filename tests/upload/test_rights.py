"""Rights on a cluster: what an upload does without the permission to remove."""

from __future__ import annotations

import pytest

from tests.cluster.running import Cluster
from tests.heard import Heard
from tests.upload.place import Place
from ytbuild.base.errors import ClusterError
from ytbuild.base.reporter import SILENT
from ytbuild.upload import send

pytestmark = pytest.mark.usefixtures("soon")


def test_an_upload_that_may_not_refresh_goes_on_with_one_warning(cluster: Cluster, place: Place) -> None:
    place.upload()
    cluster.deny(f"{place.folder}/archives", f"{place.folder}/manifests", permission="remove")
    heard = Heard()
    with place.store() as store:
        store.connection.reporter = heard
        send(store, place.built.archive, place.built.manifest, SILENT)
        store.refresh(place.built.key)
    place.assert_complete()
    (warning,) = heard.warnings
    assert warning.startswith("what was uploaded expires although it is used: set //")
    assert "the user root has no remove permission for node //" in warning


def test_a_link_that_may_not_be_replaced_is_an_error(cluster: Cluster, place: Place) -> None:
    place.client.create("file", f"{place.folder}/other")
    place.client.link(f"{place.folder}/other", place.link)
    cluster.deny(place.link, permission="remove")
    with pytest.raises(ClusterError, match="the user root has no remove permission for node"):
        place.upload()
