"""Guards of what carries a plan out: ``act.py``, ``reconcile.py``, ``view.py`` and what they ask."""

from tests.guards.guard import Guard, model

_ACT, _RECONCILE, _DOUBTS = "reconcile/executor.py", "reconcile/reconciler.py", "reconcile/pending_creates.py"

GUARDS = (
    # When a request is sent
    Guard(
        name="read-before-create",
        harm="A mapping is created for a resource that was deleted or edited while the watch was late.",
        file="reconcile/executor.py",
        text=(
            "resource, client = context.resource, context.connected.client\n"
            "        if not await self._confirm_unchanged(context):"
        ),
        without=("resource, client = context.resource, context.connected.client\n        if False:"),
        tests=model(
            "late_watches",
            "no_mapping_is_created_for_a_resource_whose_deletion_the_watch_has_not_reported",
            "no_mapping_is_created_from_a_spec_whose_edit_the_watch_has_not_reported",
        ),
    ),
    Guard(
        name="recheck-at-the-turn",
        harm="A request is sent although the resource was paused, edited or deleted since it was planned.",
        file=_ACT,
        text="self.cache.current(self.context.resource)",
        without="pass",
        tests=model(
            "waiting_requests",
            "an_update_that_waits_is_not_sent_when_the_resource_is_paused",
            "a_create_that_waits_is_not_sent_when_the_resource_is_deleted",
        ),
    ),
    Guard(
        name="recheck-after-the-budget",
        harm="A request is sent although the resource was paused, edited or deleted while it waited for the budget.",
        file="aws/mappings_api.py",
        text=(
            "        await self.rate_limiter.take(priority)\n"
            "        counters.granted(*self._place, priority, monotonic() - asked)\n"
            "        if precondition is not None:\n"
            "            precondition.check()"
        ),
        without=(
            "        if precondition is not None:\n"
            "            precondition.check()\n"
            "        await self.rate_limiter.take(priority)\n"
            "        counters.granted(*self._place, priority, monotonic() - asked)"
        ),
        tests=model("waiting_requests", "an_update_that_waits_is_not_sent_when_the_resource_is_paused"),
    ),
    Guard(
        name="lock-per-mapping",
        harm="The former owner of a mapping changes it while the request that gives it to a new one is under way.",
        file=_ACT,
        text="lock = self._locks.setdefault(uuid, asyncio.Lock())",
        without="lock = asyncio.Lock()",
        tests=model("takeovers", "an_edit_of_the_former_owner_does_not_reach_a_mapping_that_is_being_taken_over"),
    ),
    Guard(
        name="owner-after-the-lock",
        harm="The former owner of a mapping changes it as soon as the request that gave it to a new one is answered.",
        file="reconcile/executor.py",
        text=("if self._tags(context, desired, uuid) != before:\n                raise StaleError"),
        without=("if False:\n                raise StaleError"),
        tests=model("takeovers", "an_edit_of_the_former_owner_does_not_reach_a_mapping_that_is_being_taken_over"),
    ),
    Guard(
        name="tags-again-before-adoption",
        harm="A mapping is adopted that another owner has tagged a moment before.",
        file=_ACT,
        text="or inventory.tags(uuid) != before:",
        without="or False:",
        tests=model("takeovers", "a_mapping_that_gets_an_owner_between_the_plan_and_its_adoption_is_left_to_it"),
    ),
    Guard(
        name="deletions-per-minute",
        harm="A mistake in the cluster deletes thousands of mappings before a person can stop it.",
        file="reconcile/executor.py",
        text="wait = self._states.deletion_limiter.take(resource.key)",
        without="wait = 0.0",
        tests=model("waiting_requests", "no_more_deletions_a_minute_are_sent_than_the_setting_allows"),
    ),
    Guard(
        name="same-correction-again",
        harm="Two tools that disagree on a field change the mapping again and again, as fast as AWS answers.",
        file="reconcile/executor.py",
        text="wait = self._states.of(context.resource.key).drift_backoff.wait(kind, change)",
        without="wait = 0.0",
        tests=model("waiting_requests", "a_change_that_aws_does_not_keep_is_sent_less_and_less_often"),
    ),
    # What is noted before, or after
    Guard(
        name="note-mapping-before-intent",
        harm="The operator overwrites the only record of a mapping. If it is killed then, the mapping is lost.",
        file="reconcile/executor.py",
        text="if await self._record_mapping_first(context, REPLACING):",
        without="if False:",
        tests=model("scenarios", "what_the_intent_tells_of_is_noted_before_another_intent"),
    ),
    Guard(
        name="note-mapping-before-move",
        harm="A mapping that is known by the intent only is moved to another function, and lost if the operator is "
        "killed then.",
        file="reconcile/executor.py",
        text="if actions.IDENTITY & action.change.keys() and await self._record_mapping_first(context, UPDATING):",
        without="if False:",
        tests=model("scenarios", "what_the_intent_tells_of_is_noted_before_it_is_given_another_function"),
    ),
    Guard(
        name="note-fields-before-update",
        harm="A field that a killed operator has set keeps its value when the spec stops naming it.",
        file="reconcile/executor.py",
        text=(
            "if await self._record_names_first("
            "context, _with(context.record.applied, fields=frozenset(action.change))):"
        ),
        without="if False:",
        tests=model("killed_operators", "a_field_that_was_set_before_a_kill_is_reset_when_the_spec_drops_it"),
    ),
    Guard(
        name="note-tags-before-tagging",
        harm="A tag that a killed operator has put on a mapping stays when the spec stops naming it.",
        file="reconcile/executor.py",
        text="if await self._record_names_first(context, _with(context.record.applied, tags=frozenset(action.add))):",
        without="if False:",
        tests=model("killed_operators", "a_tag_that_was_set_before_a_kill_is_removed_when_the_spec_drops_it"),
    ),
    Guard(
        name="plan-again-after-a-note",
        harm="A mapping is updated that another owner has taken over while the status was written.",
        file="reconcile/executor.py",
        text=("context.resource = await self._status_writer.write(context, UPDATING)\n        return True"),
        without=("context.resource = await self._status_writer.write(context, UPDATING)\n        return False"),
        tests=model("takeovers", "a_mapping_that_gets_another_owner_while_the_status_is_written_is_not_updated"),
    ),
    Guard(
        name="predecessor-noted",
        harm="The predecessor of a replacement is lost if the operator is killed before it is deleted.",
        file="reconcile/executor.py",
        text="if context.connected.inventory.get(action.replaces) is None:",
        without="if True:",
        tests=model("killed_operators", "the_predecessor_of_a_mapping_that_was_created_before_a_kill_is_deleted"),
    ),
    Guard(
        name="made-but-not-listed",
        harm="The planner does not see a mapping that this process created and no list has shown. The mapping remains.",
        file="reconcile/observe.py",
        text='unseen=made if missed else ""',
        without='unseen=""',
        tests=model("scenarios", "a_resource_that_is_deleted_during_its_replacement_leaves_no_mapping"),
    ),
    Guard(
        name="older-claimant",
        harm="Of two resources that may adopt a mapping, the one that is worked on first gets it, not the older one.",
        file="reconcile/observe.py",
        text="rival=cache.older_claimant(resource)",
        without='rival=""',
        tests=model("takeovers", "of_two_resources_that_may_adopt_a_mapping_the_older_one_gets_it"),
    ),
    Guard(
        name="tags-since-the-work-began",
        harm="A mapping is deleted by tags that were read long ago.",
        file="aws/inventory.py",
        text="tags_fresh=self.tags_seen >= since",
        without="tags_fresh=True",
        tests=model("scenarios", "a_conflict_ends_soon_after_the_other_owner_lets_go"),
    ),
    # Creates whose outcome is not known
    Guard(
        name="unanswered-create",
        harm="A resource is removed although AWS carries out a Create of it after the operator stopped waiting.",
        file="reconcile/executor.py",
        text=(
            "if errors.is_doubtful(error):\n                self._states.of(resource.key).pending_creates.unanswered("
        ),
        without=("if False:\n                self._states.of(resource.key).pending_creates.unanswered("),
        tests=model("pending_creates", "a_resource_is_removed_only_when_its_unanswered_create_has_settled[late]"),
    ),
    Guard(
        name="failure-inside-aws",
        harm="A resource is removed although AWS carried out a Create of it and then answered with status 500.",
        file="aws/errors.py",
        text="return _status(error) >= 500",
        without="return False",
        tests=model(
            "pending_creates", "a_resource_is_removed_only_when_its_unanswered_create_has_settled[done but failed]"
        ),
    ),
    Guard(
        name="create-of-another-process",
        harm="A resource is removed although AWS carries out a Create after the operator that sent it was killed.",
        file="reconcile/reconciler.py",
        text="        self._inherit_pending_create(resource)\n",
        without="",
        tests=model("pending_creates", "a_resource_is_removed_only_when_the_create_of_a_killed_operator_has_settled"),
    ),
    Guard(
        name="create-of-a-living-process",
        harm="A former leader that still runs sends a Create later than the new leader expects.",
        file="reconcile/state.py",
        text="return (self._began if state.predates_process else monotonic()) + SETTLE",
        without="return self._began + SETTLE",
        tests=model("pending_creates", "a_resource_is_removed_only_when_the_create_of_another_operator_has_settled"),
    ),
    Guard(
        name="created-again-by-another-process",
        harm="A resource is removed although a killed operator has created its deleted mapping again.",
        file="reconcile/reconciler.py",
        text="if observation.gone and self._inherit_recreation(context.resource):",
        without="if False:",
        tests=model(
            "pending_creates",
            "a_resource_is_removed_only_when_the_second_create_of_a_killed_operator_has_settled",
        ),
    ),
    Guard(
        name="pending-create-looked-at-again",
        harm="A second mapping that a late Create has made is not found before the next edit.",
        file="reconcile/conclude.py",
        text="case _ if state.pending_creates.unsettled:",
        without="case _ if False:",
        tests=model("pending_creates", "a_successor_that_is_created_late_and_not_needed_any_more_is_deleted"),
    ),
    Guard(
        name="pending-create-waited-for",
        harm="A resource that waits for the outcome of a Create is never worked on again.",
        file="reconcile/conclude.py",
        text="return result.requeued(QueuePriority.EDIT, state.pending_creates.left())",
        without="return result",
        tests=model("pending_creates", "a_resource_is_removed_only_when_its_unanswered_create_has_settled[late]"),
    ),
    Guard(
        name="pending-create-settles",
        harm="A Create counts as not carried out while AWS may still carry it out.",
        file="reconcile/pending_creates.py",
        text="if now >= pending.settles:",
        without="if True:",
        tests=model("pending_creates", "a_resource_is_removed_only_when_its_unanswered_create_has_settled[late]"),
    ),
    Guard(
        name="sweep-settles-no-earlier",
        harm="A sweep that began before a Create has settled counts as proof that it made nothing.",
        file="reconcile/pending_creates.py",
        text="pending.settled = max(now, client.inventory.swept_from) >= pending.settles",
        without="pending.settled = client.inventory.swept",
        tests=model("pending_creates", "a_resource_is_removed_only_when_its_unanswered_create_has_settled[late]"),
    ),
    Guard(
        name="answered-create-settles-no-other",
        harm="A Create whose answer was lost counts as settled when a second Create is answered.",
        file="reconcile/pending_creates.py",
        text=("if self._pending is not None and self._pending.settled:\n            self._pending = None"),
        without=("if self._pending is not None:\n            self._pending = None"),
        tests=model("pending_creates", "a_create_that_is_answered_does_not_settle_the_one_before_it"),
    ),
    Guard(
        name="inherited-create-settles-no-other",
        harm="A Create whose answer was lost counts as one of an earlier process, and settles too early.",
        file="reconcile/pending_creates.py",
        text="if not self.unsettled:",
        without="if True:",
        tests=model("pending_creates", "a_create_of_this_process_is_not_taken_for_one_of_an_earlier_process"),
    ),
    # Which resource is worked on
    Guard(
        name="region-changed",
        harm="After an edit or another ProviderConfig changes the region, a second mapping is created there.",
        file=_RECONCILE,
        text="if intent is None or intent.region == region:",
        without="if True:",
        tests=model("moved_targets", "a_mapping_is_not_created_again_in_another_region"),
    ),
    Guard(
        name="account-changed",
        harm="After other credentials change the account, a second mapping is created there.",
        file=_RECONCILE,
        text="if intent is None or intent.account == account:",
        without="if True:",
        tests=model("moved_targets", "a_mapping_is_not_created_again_in_another_account"),
    ),
    Guard(
        name="hold-before-prepare",
        harm="A mapping is created through a ProviderConfig that is being deleted, and can't be reached after that.",
        file=_RECONCILE,
        text="refused = await self._usage_finalizer.hold(resource)",
        without="refused = None",
        tests=model("moved_targets", "no_mapping_is_created_through_a_provider_config_that_is_being_deleted"),
    ),
    Guard(
        name="read-after-conflict",
        harm="A resource whose watch events were lost is refused by the API server again and again.",
        file=_RECONCILE,
        text="self._cache.renew(parse(await self._kubernetes.read(key)))",
        without="pass",
        tests=model("late_watches", "a_resource_whose_edit_the_watch_has_lost_is_read_after_a_conflict"),
    ),
    Guard(
        name="incarnation-forgotten",
        harm="A resource that was created again while its predecessor was removed is not worked on.",
        file="reconcile/reconciler.py",
        text=("return deleted.requeued(QueuePriority.EDIT) if self._cache.get(resource.key) is not None else deleted"),
        without="return deleted",
        tests=model("scenarios", "a_resource_made_anew_while_the_old_one_is_let_go_is_worked_on"),
    ),
    Guard(
        name="wait-for-sweep",
        harm="When the first sweep completes, the operator does not reconcile the resources that waited for it.",
        file="reconcile/reconciler.py",
        text="self._states.of(key).awaits_sweep = True",
        without="pass",
        tests=model("scenarios", "a_replacement_that_is_edited_back_ends_with_one_mapping"),
    ),
    Guard(
        name="wait-for-predecessor",
        harm="A resource whose predecessor is being deleted is not worked on when it is gone.",
        file="reconcile/conclude.py",
        text="waits_for = isinstance(action, actions.Conflict | actions.Wait)",
        without="waits_for = False",
        tests=model("scenarios", "a_replacement_that_is_edited_back_ends_with_one_mapping"),
    ),
    Guard(
        name="changed-during-the-status",
        harm="The status keeps showing a state that AWS left while the status was written.",
        file="reconcile/conclude.py",
        text="if context.connected.inventory.get(context.record.uuid) is not entry:",
        without="if False:",
        tests=model("late_answers", "a_state_that_changes_while_the_status_is_written_is_shown_in_the_end"),
    ),
    Guard(
        name="read-before-adoption",
        harm="A mapping is adopted for a resource that was deleted while the watch was late.",
        file="reconcile/executor.py",
        text=("context.connected.inventory\n        if not await self._confirm_unchanged(context):"),
        without=("context.connected.inventory\n        if False:"),
        tests=model("late_watches", "no_mapping_is_adopted_for_a_resource_whose_deletion_the_watch_has_not_reported"),
    ),
    Guard(
        name="waiting-noted",
        harm="If every process lives for only a few seconds, the wait for a lost Create never ends.",
        file="reconcile/conclude.py",
        text="await self._executor.record_waiting(context)",
        without="pass",
        tests=model("late_tags", "processes_that_live_for_five_seconds_get_past_a_create_that_was_not_answered"),
    ),
    Guard(
        name="no-create-while-waiting-is-noted",
        harm="A Create is sent although the intent records that none is sent, so no process waits for its outcome.",
        file="api/resource.py",
        text='waiting_since=str(raw.get("waiting_since") or ""),',
        without="",
        tests=model("late_tags", "processes_that_live_for_five_seconds_get_past_a_create_that_was_not_answered"),
    ),
    Guard(
        name="removed-object-is-read",
        harm="The mapping of a resource that has only lost the label which the operator selects by is deleted.",
        file=_ACT,
        text="            if current.uid == resource.uid:\n                return False",
        without="            pass",
        tests=model("removals", "a_resource_that_has_only_lost_its_label_keeps_its_mapping"),
    ),
    Guard(
        name="removed-object-survives-its-worker",
        harm="The worker of a resource that was removed forgets it, and the mapping that it has just created.",
        file=_RECONCILE,
        text="if known is not None and known.removed and not resource.removed:",
        without="if False:",
        tests=model("removals", "a_write_that_finds_no_object_does_not_end_the_search_for_its_mapping"),
    ),
    Guard(
        name="create-recorded-without-tags",
        harm="Where AWS takes no tags, a mapping that was created before a kill is taken for another's.",
        file="reconcile/executor.py",
        text="            await self._creates.begin(context)",
        without="            pass",
        tests=model("records", "a_mapping_that_was_created_before_a_kill_is_found_without_tags"),
    ),
    Guard(
        name="recorded-intent-without-tags",
        harm="Where AWS takes no tags, a person claims the mapping of another by an edited intent annotation.",
        file="reconcile/ownership_records.py",
        text='intent is None or context.creating.rpartition("/")[2] != _digest(intent):',
        without="intent is None:",
        tests=model("records", "an_intent_that_somebody_has_changed_claims_no_mapping_without_tags"),
    ),
    Guard(
        name="pending-create-stays-recorded",
        harm="Where AWS takes no tags, a mapping that AWS made for an earlier Create is taken for another's.",
        file="reconcile/ownership_records.py",
        text=(
            "settled = settled and not states.of(context.resource.key).pending_creates.unsearched and found "
            "<= {record.uuid}"
        ),
        without="pass",
        tests=model("records", "a_create_that_is_carried_out_after_the_next_one_is_the_resources_own"),
    ),
    Guard(
        name="record-is-of-this-resource",
        harm="Where AWS takes no tags, a restored resource takes the mapping of another cluster for its own.",
        file="reconcile/ownership_records.py",
        text='return creating if creating.startswith(f"{resource.uid}/") else ""',
        without="return creating",
        tests=model("records", "a_restored_status_does_not_say_that_a_create_is_outstanding"),
    ),
    Guard(
        name="immutable-fields-of-a-pending-create",
        harm="Where AWS takes no tags, a mapping with another starting position is taken for the resource's own.",
        file="reconcile/ownership_records.py",
        text="has = immutable_texts(entry.observed().values)",
        without="has: Mapping[str, str] = {}",
        tests=model("records", "a_mapping_with_other_immutable_fields_is_not_what_a_create_has_made"),
    ),
    Guard(
        name="refused-create-made-nothing",
        harm="Where AWS takes no tags, the mapping that AWS names in a refusal is taken for the resource's own.",
        file="reconcile/create_marker.py",
        text="outstanding = sent or state.pending_creates.unsearched",
        without="outstanding = True",
        tests=model("records", "a_mapping_that_aws_names_in_a_refusal_is_not_what_a_create_has_made"),
    ),
    Guard(
        name="other-records-before-adoption",
        harm="Where AWS takes no tags, the mapping of another resource is adopted.",
        file="reconcile/ownership_records.py",
        text="key != context.resource.key and MappingRecord.of(other).owns",
        without="False",
        tests=model("records", "the_mapping_of_another_resource_is_not_adopted"),
    ),
    Guard(
        name="older-record",
        harm="Where AWS takes no tags, a resource with a copied status deletes the mapping of the older resource.",
        file="reconcile/ownership_records.py",
        text="return min(stay, key=lambda one: (one.created, one.uid), default=None)",
        without="return max(stay, key=lambda one: (one.created, one.uid), default=None)",
        tests=model("records", "of_two_resources_that_record_a_mapping_the_older_one_has_it"),
    ),
    Guard(
        name="watched-is-not-owned",
        harm="Where AWS takes no tags, a mapping that a resource has only observed is changed and deleted as its own.",
        file="planning/desire.py",
        text="return bool(self.uuid) and self.applied.tags >= OWNER_TAGS",
        without="return bool(self.uuid)",
        tests=model("records", "a_mapping_that_was_only_watched_is_not_its_own"),
    ),
)
