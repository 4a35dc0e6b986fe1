//! Every rule is needed: without it, a promise is broken. `--nocapture` prints how.

use crate::LIMIT;
use crate::worlds::{
    ABSENCE, ABSENCE_TWICE, CHAIN, EPOCHS, GUARDED, MIGRATION, POLICIES, STARTS, STOPS, THREE,
    UNCERTAIN, UNPROTECTED,
};
use std::fmt::Debug;
use xend_fleet_model::checker::{Model, Verdict, check};
use xend_fleet_model::definition::{self, Definitions};
use xend_fleet_model::promise::{self, Promise};
use xend_fleet_model::protocol::{Flaw, Protocol};

/// Asserts that a promise is broken.
fn breaks<M: Model>(flaw: impl Debug, model: &M, promise: &str) {
    match check(model, LIMIT) {
        Verdict::Broken(counterexample) => {
            println!("{flaw:?}:\n{counterexample}");
            assert!(counterexample.promise.contains(promise), "{flaw:?}: {counterexample}");
        }
        verdict => panic!("{flaw:?} does no harm: {verdict:?}"),
    }
}

const TWICE: &str = "P1";
const LOST: &str = "P5";
const FENCED: &str = "fenced epoch";
const UNDONE: &str = "P2";
const AHEAD: &str = "a copy";

macro_rules! flaws {
    ($($name:ident: $flaw:ident in $world:ident breaks $promise:ident;)*) => {
        $(
            #[test]
            fn $name() {
                breaks(Flaw::$flaw, &Protocol::broken($world, Flaw::$flaw), $promise);
            }
        )*

        /// A new flaw needs its test.
        #[test]
        fn every_flaw_has_a_test() {
            let tested = [$(Flaw::$flaw),*];
            let missing: Vec<_> = Flaw::ALL.iter().filter(|flaw| !tested.contains(flaw)).collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
    };
}

flaws! {
    the_wait_is_too_short: ShortWait in GUARDED breaks TWICE;
    a_lease_counts_as_proof: LeaseIsProof in GUARDED breaks TWICE;
    the_wait_is_counted_from_sending: WaitFromSending in GUARDED breaks TWICE;
    another_taker_does_not_wait: NoSecondWait in GUARDED breaks TWICE;
    a_read_is_not_linearizable: StaleRead in GUARDED breaks TWICE;
    the_guard_counts_from_the_answer: FromAnswer in GUARDED breaks TWICE;
    the_guard_has_one_timer: OneTimer in GUARDED breaks TWICE;
    the_watchdog_does_not_work: NoWatchdog in GUARDED breaks TWICE;
    a_timer_is_not_set_yet: RegisteredUnset in STOPS breaks TWICE;
    the_guard_lets_go_in_a_build: LetGoInBuild in GUARDED breaks TWICE;
    the_guard_lets_go_first: LetGoFirst in POLICIES breaks TWICE;
    the_guard_lets_go_after_a_read: LetGoOnRead in POLICIES breaks TWICE;
    a_domain_runs_before_its_claim: RunBeforeClaim in STARTS breaks TWICE;
    a_domain_runs_before_it_is_guarded: RunBeforeGuarded in CHAIN breaks LOST;
    a_restart_in_place_is_not_registered: RestartUnregistered in GUARDED breaks TWICE;
    a_claim_goes_by_the_policy: ClaimByPolicy in POLICIES breaks TWICE;
    a_claim_ignores_the_epoch: ClaimAnyEpoch in CHAIN breaks TWICE;
    a_claim_ignores_the_revision: ClaimAnyRevision in STARTS breaks TWICE;
    a_taker_claims_unguarded: ClaimUnguarded in THREE breaks LOST;
    a_claim_ignores_the_claimants_fence: ClaimUnfenced in STOPS breaks FENCED;
    a_receiver_ignores_its_fence: ReceiveUnfenced in MIGRATION breaks FENCED;
    a_receiver_ignores_the_id: ReceiveAnyRevision in UNPROTECTED breaks TWICE;
    a_receiver_runs_the_domain_first: ReceiveFirst in UNPROTECTED breaks TWICE;
    a_receiver_does_not_register: ReceiveUnregistered in MIGRATION breaks TWICE;
    a_receiver_takes_an_error_for_success: ErrorIsSuccess in UNPROTECTED breaks TWICE;
    a_receiver_retries_blindly: BlindRetry in UNPROTECTED breaks TWICE;
    a_source_resumes_without_a_transaction: ResumeUnwritten in UNPROTECTED breaks TWICE;
    away_ignores_the_fence: AwayUncompared in ABSENCE breaks TWICE;
    a_fence_ignores_away: FenceUncompared in ABSENCE breaks TWICE;
    a_host_is_away_before_the_answer: AwayUnanswered in ABSENCE breaks TWICE;
    a_host_is_back_before_its_timer: BackUnset in ABSENCE breaks TWICE;
    away_is_removed_at_any_revision: BackUncompared in ABSENCE breaks TWICE;
    away_expires: AwayExpires in ABSENCE breaks TWICE;
    away_counts_for_later_boots: AwayAnyEpoch in ABSENCE_TWICE breaks LOST;
    away_is_one_key: AwayOneKey in ABSENCE breaks TWICE;
    a_restart_of_the_daemon_is_an_epoch: DaemonEpoch in UNCERTAIN breaks TWICE;
    a_new_epoch_comes_while_guarding: EpochWhileGuarding in STOPS breaks TWICE;
    a_domain_is_protected_in_its_old_epoch: EpochKept in POLICIES breaks TWICE;
    a_new_epoch_counts_as_a_boot: ConfirmByEpoch in EPOCHS breaks TWICE;
    a_person_is_wrong: WrongConfirm in UNPROTECTED breaks TWICE;
    etcd_is_restored: EtcdRestored in GUARDED breaks TWICE;
}

/// Each flaw of a model without worlds, and the promise that it breaks.
macro_rules! flaws_of {
    ($all:ident of $model:ident in $module:ident: $($name:ident: $flaw:ident breaks $promise:ident;)*) => {
        $(
            #[test]
            fn $name() {
                let flaw = $module::Flaw::$flaw;
                breaks(flaw, &$model { flaw: Some(flaw) }, $promise);
            }
        )*

        #[test]
        fn $all() {
            assert_eq!([$($module::Flaw::$flaw),*], $module::Flaw::ALL);
        }
    };
}

flaws_of! {
    every_flaw_of_the_promise_has_a_test of Promise in promise:
    a_taker_promises_while_it_waits: PromisesWhileWaiting breaks TWICE;
    one_promise_suffices: OneSuffices breaks TWICE;
    a_promise_is_counted_from_its_answer: FromPromise breaks TWICE;
    a_promise_counts_for_a_later_question: LatePromise breaks TWICE;
    a_new_taker_is_unknown_to_the_host: NewTakerWaits breaks TWICE;
    a_host_forgets_a_taker_first: ForgetsFirst breaks TWICE;
    a_wait_outlives_the_list: WaitOutlivesList breaks TWICE;
    a_wait_outlives_a_restart: WaitOutlivesRestart breaks TWICE;
    a_host_that_is_no_taker_claims: AnyoneClaims breaks TWICE;
}

flaws_of! {
    every_flaw_about_definitions_has_a_test of Definitions in definition:
    a_host_answers_before_etcd: AnswersFirst breaks UNDONE;
    a_host_copies_before_etcd: CopiesFirst breaks AHEAD;
    a_change_ignores_the_revision: Uncompared breaks UNDONE;
    a_copy_wins_at_the_start: CopyWins breaks UNDONE;
    a_change_is_retried_blindly: BlindRetry breaks UNDONE;
}
