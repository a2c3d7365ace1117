"""Users of Terraform find each argument and attribute in our resource."""

from esm_operator.api import crd, terraform

ARGUMENTS = [
    "function_name",
    "batch_size",
    "bisect_batch_on_function_error",
    "enabled",
    "event_source_arn",
    "function_response_types",
    "kms_key_arn",
    "maximum_batching_window_in_seconds",
    "maximum_record_age_in_seconds",
    "maximum_retry_attempts",
    "parallelization_factor",
    "queues",
    "region",
    "starting_position",
    "starting_position_timestamp",
    "tags",
    "topics",
    "tumbling_window_in_seconds",
    "amazon_managed_kafka_event_source_config",
    "amazon_managed_kafka_event_source_config.consumer_group_id",
    "destination_config",
    "destination_config.on_failure",
    "destination_config.on_failure.destination_arn",
    "document_db_event_source_config",
    "document_db_event_source_config.collection_name",
    "document_db_event_source_config.database_name",
    "document_db_event_source_config.full_document",
    "filter_criteria",
    "filter_criteria.filter",
    "filter_criteria.filter.pattern",
    "metrics_config",
    "metrics_config.metrics",
    "provisioned_poller_config",
    "provisioned_poller_config.maximum_pollers",
    "provisioned_poller_config.minimum_pollers",
    "scaling_config",
    "scaling_config.maximum_concurrency",
    "self_managed_event_source",
    "self_managed_event_source.endpoints",
    "self_managed_kafka_event_source_config",
    "self_managed_kafka_event_source_config.consumer_group_id",
    "source_access_configuration",
    "source_access_configuration.type",
    "source_access_configuration.uri",
]
ATTRIBUTES = [
    "arn",
    "function_arn",
    "last_modified",
    "last_processing_result",
    "state",
    "state_transition_reason",
    "tags_all",
    "uuid",
]


def exists(part: str, path: str) -> bool:
    place = crd.event_source_mappings()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part]
    for name in path.split("."):
        place = place.get("properties", {}).get(name.removesuffix("[]"))
        if place is None:
            return False
        if name.endswith("[]"):
            place = place["items"]
    return True


def test_each_argument_has_a_field() -> None:
    assert set(terraform.ARGUMENTS) == set(ARGUMENTS)
    assert [path for path in terraform.ARGUMENTS.values() if not exists("spec", path)] == []


def test_each_attribute_has_a_field() -> None:
    assert set(terraform.ATTRIBUTES) == set(ATTRIBUTES)
    assert [path for path in terraform.ATTRIBUTES.values() if not exists("status", path)] == []


def test_the_table_has_a_row_for_each() -> None:
    lines = terraform.markdown().splitlines()
    assert len(lines) == 2 + len(ARGUMENTS) + len(ATTRIBUTES)
    assert "| `batch_size` | `spec.batchSize` |  |" in lines
    assert set(terraform.NOTES) <= set(ARGUMENTS) | set(ATTRIBUTES)
