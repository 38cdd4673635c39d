//! Keeps the users of all integrations: takes wishes and results, makes the next job, and wakes who waits for an answer.
//!
//! Each change of a user is one compare-and-swap in the mirror, together with the job that begins or ends by it. So it does not
//! matter which of several gateways makes it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{sync::Notify, time::Instant};

use super::{
    integration::Served,
    learn::learn,
    next::{NextStep, next},
};
use crate::{
    contract::{
        EvidencePolicy, Failure, Integration, Job, JobResult, Mode, Operation, Outcome, RequestedBy, Window,
    },
    ports::mirror::{
        Activity, EndedJob, Mirror, MirrorError, MirrorJob, MirrorUser, RefusedWish, UserChange, Wished,
    },
};

/// How often a row is read that another gateway may change.
const POLL: Duration = Duration::from_millis(250);
/// How many durations of a lane are kept for its median.
const DURATIONS: usize = 20;
/// The duration of a job in a lane that has done none yet.
const USUAL: Duration = Duration::from_secs(3);
/// How long a refusal waits for the repeat of its request.
const REFUSAL_KEPT: Duration = Duration::from_hours(24);

/// How long the bodies of ended jobs and their results are kept.
const JOBS_KEPT: Duration = Duration::from_hours(90 * 24);

/// The keeper of all users.
pub struct Keeper {
    pub mirror: Arc<dyn Mirror>,
    pub integrations: BTreeMap<String, Arc<Served>>,
    /// A user has changed.
    changed: Notify,
    /// There are jobs to publish.
    pub(super) to_send: Notify,
    durations: Mutex<BTreeMap<String, VecDeque<Duration>>>,
}

/// A wish that somebody waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    pub user: String,
    pub wish: u64,
}

/// What happened to a wish.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// The app shows it.
    Met(Box<MirrorUser>),
    /// The user was deleted.
    Gone,
    Refused(Box<Failure>),
    /// A later wish took its place.
    Replaced,
    /// It is not known yet.
    Open {
        retry_after: Duration,
        why: Option<Box<Failure>>,
    },
}

/// How a request changes a user.
pub enum Edit {
    /// To this. A version of 0 is a new user.
    To(Box<MirrorUser>),
    /// Not at all: the wish is met.
    Nothing,
}

impl Keeper {
    pub fn new(mirror: Arc<dyn Mirror>, integrations: impl IntoIterator<Item = Served>) -> Self {
        let integrations = integrations.into_iter().map(|one| (one.id.clone(), Arc::new(one))).collect();
        Self {
            mirror,
            integrations,
            changed: Notify::new(),
            to_send: Notify::new(),
            durations: Mutex::default(),
        }
    }

    /// Stores a user with their new wish, and makes its first job. `None`: the user has changed in the meantime, so the request
    /// has to be read again.
    pub async fn ask(
        &self,
        served: &Served,
        mut user: MirrorUser,
        before: Option<&MirrorUser>,
        actor: &str,
    ) -> Result<Option<Ticket>, MirrorError> {
        let busy = user.version > 0 && self.mirror.open_job(&user.id).await?.is_some();
        let ticket = Ticket { user: user.id.clone(), wish: user.state.wishes };
        let mut activity = Vec::new();
        if before.is_none_or(|before| before.state.wishes != user.state.wishes) {
            activity.push(entry(&user, actor, "requested", None));
        }
        user.retry_at = None;
        let change = step(served, user, before, busy, activity, None);
        let sends = change.begun.is_some();
        if !self.mirror.apply(&change).await? {
            return Ok(None);
        }
        self.changed.notify_waiters();
        if sends {
            self.to_send.notify_one();
        }
        Ok(Some(ticket))
    }

    /// Takes a result. It may arrive twice.
    pub async fn take(&self, result: &JobResult) -> Result<(), MirrorError> {
        loop {
            let Some(job) = self.mirror.job(&result.job).await? else {
                tracing::debug!(job = result.job, "a result of a job that this gateway did not send");
                return Ok(());
            };
            let (Some(id), None) = (&job.user, job.ended_at) else { return Ok(()) };
            let Some(served) = self.integrations.get(&job.integration) else { return Ok(()) };
            let Some(user) = self.mirror.user(&job.integration, id).await? else { return Ok(()) };
            if self.mirror.apply(&concluded(served, user, &job, result)).await? {
                self.remember(&job.lane, result);
                self.changed.notify_waiters();
                self.to_send.notify_one();
                return Ok(());
            }
        }
    }

    /// Goes on with wishes whose pause is over, and with those that a gateway left when it was killed.
    pub async fn go_on(&self) -> Result<(), MirrorError> {
        for user in self.mirror.due(Timestamp::now()).await? {
            let Some(served) = self.integrations.get(&user.integration) else { continue };
            let before = user.clone();
            let change = step(served, user, Some(&before), false, Vec::new(), None);
            // False: another gateway was faster.
            if self.mirror.apply(&change).await? {
                self.changed.notify_waiters();
                self.to_send.notify_one();
            }
        }
        Ok(())
    }

    /// Forgets refused users who were never there, and what jobs asked for and returned.
    pub async fn clear_up(&self) -> Result<(), MirrorError> {
        let now = Timestamp::now();
        self.mirror.forget(now - REFUSAL_KEPT, now - JOBS_KEPT).await
    }

    /// Waits for the end of a wish, but not longer than this.
    pub async fn wait(
        &self,
        served: &Served,
        ticket: &Ticket,
        until: Instant,
    ) -> Result<Ending, MirrorError> {
        let mut first = true;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let Some(user) = self.mirror.user(&served.id, &ticket.user).await? else {
                return Ok(Ending::Gone);
            };
            if let Some(ending) = self.ending(&user, ticket).await? {
                return Ok(ending);
            }
            let retry_after = self.retry_after(served).await?;
            let late = Instant::now() >= until || (first && Instant::now() + retry_after > until + POLL);
            if late {
                return Ok(match user.state.wishes == ticket.wish {
                    true => Ending::Open { retry_after, why: None },
                    false => Ending::Replaced,
                });
            }
            first = false;
            let _ = tokio::time::timeout_at(until.min(Instant::now() + POLL), changed).await;
        }
    }

    async fn ending(&self, user: &MirrorUser, ticket: &Ticket) -> Result<Option<Ending>, MirrorError> {
        let state = &user.state;
        if state.wish.is_some() {
            let pause = user.retry_at.map(|at| at.duration_since(Timestamp::now()));
            let pause =
                pause.and_then(|pause| Duration::try_from(pause).ok()).filter(|pause| !pause.is_zero());
            return Ok(pause.map(|retry_after| Ending::Open { retry_after, why: None }));
        }
        match &state.refusal {
            Some(refusal) if refusal.wish.number >= ticket.wish => {
                let failure = Box::new(refusal.failure.clone());
                self.delivered(user).await?;
                Ok(Some(Ending::Refused(failure)))
            }
            _ => {
                self.answered(user).await?;
                Ok(Some(Ending::Met(Box::new(user.clone()))))
            }
        }
    }

    /// The identity provider gets this refusal.
    pub(super) async fn delivered(&self, user: &MirrorUser) -> Result<(), MirrorError> {
        let mut user = user.clone();
        match &mut user.state.refusal {
            Some(refusal) if !refusal.delivered => refusal.delivered = true,
            _ => return Ok(()),
        }
        // False: another request has it too, or a newer one has come.
        self.mirror.apply(&alone(user)).await?;
        Ok(())
    }

    /// The identity provider knows that the user is there.
    async fn answered(&self, user: &MirrorUser) -> Result<(), MirrorError> {
        if user.state.unanswered {
            let mut user = user.clone();
            user.state.unanswered = false;
            self.mirror.apply(&alone(user)).await?;
        }
        Ok(())
    }

    /// The time until the open jobs of the lane are done.
    async fn retry_after(&self, served: &Served) -> Result<Duration, MirrorError> {
        let open = self.mirror.open_jobs(&served.lane).await?;
        let durations = self.durations.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known: Vec<Duration> = durations.get(&served.lane).into_iter().flatten().copied().collect();
        known.sort_unstable();
        let median = known.get(known.len() / 2).copied().unwrap_or(USUAL);
        let all = median.saturating_mul(u32::try_from(open).unwrap_or(u32::MAX));
        Ok(all.clamp(Duration::from_secs(2), Duration::from_secs(60)))
    }

    fn remember(&self, lane: &str, result: &JobResult) {
        let mut durations = self.durations.lock().unwrap_or_else(PoisonError::into_inner);
        let of_lane = durations.entry(lane.to_owned()).or_default();
        of_lane.push_back(Duration::from_millis(result.timings.total_ms));
        if of_lane.len() > DURATIONS {
            of_lane.pop_front();
        }
    }
}

/// The refusal of the same request, if the identity provider has not had it.
pub fn kept_refusal<'a>(user: &'a MirrorUser, wish: &Wished) -> Option<&'a RefusedWish> {
    let refusal = user.state.refusal.as_ref().filter(|refusal| !refusal.delivered)?;
    let age = Timestamp::now().duration_since(refusal.at);
    let fresh = Duration::try_from(age).is_ok_and(|age| age < REFUSAL_KEPT);
    (fresh && user.state.wish.is_none() && refusal.wish.asks_the_same(wish)).then_some(refusal)
}

fn alone(user: MirrorUser) -> UserChange {
    UserChange { user, remove: false, ended: None, begun: None, activity: Vec::new() }
}

/// The change that a result makes.
fn concluded(served: &Served, mut user: MirrorUser, job: &MirrorJob, result: &JobResult) -> UserChange {
    let now = Timestamp::now();
    let last = result.outcome != Outcome::Indeterminate;
    let ended = EndedJob { id: job.job.id.clone(), result: Box::new(result.clone()), at: now, last };
    let event = match (&result.error, last) {
        (_, false) => "not_known",
        (None, true) => "done",
        (Some(_), true) => "failed",
    };
    let detail = result.error.as_ref().map_or_else(String::new, ToString::to_string);
    let activity = Activity {
        operation: Some(job.job.operation),
        job: Some(job.job.id.clone()),
        outcome: Some(result.outcome),
        detail,
        ..entry(&user, "gateway", event, None)
    };
    if !last {
        return UserChange { ended: Some(ended), activity: vec![activity], ..alone(user) };
    }
    let before = user.clone();
    learn(&mut user, &job.job, result, now);
    step(served, user, Some(&before), false, vec![activity], Some(ended))
}

/// The user's next step: the wish is met, refused, or the next job begins.
fn step(
    served: &Served,
    mut user: MirrorUser,
    before: Option<&MirrorUser>,
    busy: bool,
    mut activity: Vec<Activity>,
    ended: Option<EndedJob>,
) -> UserChange {
    let now = Timestamp::now();
    let (mut remove, mut begun) = (false, None);
    let waits = busy || user.retry_at.is_some_and(|at| at > now);
    if let Some(mut wish) = user.state.wish.take_if(|_| !waits) {
        let state = &user.state;
        match next(&user.user_name, &state.seen, &wish, &state.sent, &served.abilities, served.policy) {
            NextStep::Met => remove = wish.delete,
            NextStep::Refuse(failure) => {
                activity.push(entry(&user, "gateway", "refused", Some(failure.to_string())));
                user.state.refusal = Some(RefusedWish { wish, failure: *failure, delivered: false, at: now });
            }
            NextStep::Do(work) => {
                wish.jobs += 1;
                let id = format!("{}-{}-{}", user.id, wish.number, wish.jobs);
                let job = job(served, id, work.operation, Some(work.user), work.entitlements);
                begun = Some(MirrorJob {
                    integration: served.id.clone(),
                    lane: served.lane.clone(),
                    user: Some(user.id.clone()),
                    job,
                    created_at: now,
                    published_at: None,
                    outcome: None,
                    ended_at: None,
                });
                user.state.wish = Some(wish);
            }
        }
    }
    if before.is_none_or(|before| !shows_the_same(before, &user)) {
        user.revision += 1;
        user.changed_at = now;
    }
    UserChange { user, remove, ended, begun, activity }
}

/// Does SCIM show the same of both?
fn shows_the_same(one: &MirrorUser, other: &MirrorUser) -> bool {
    one.state.seen.record() == other.state.seen.record()
        && one.state.sent == other.state.sent
        && (&one.external_id, &one.user_name) == (&other.external_id, &other.user_name)
}

fn entry(user: &MirrorUser, actor: &str, event: &str, detail: Option<String>) -> Activity {
    Activity {
        number: 0,
        integration: user.integration.clone(),
        user: Some(user.id.clone()),
        user_name: Some(user.user_name.clone()),
        at: Timestamp::now(),
        actor: actor.to_owned(),
        event: event.to_owned(),
        operation: None,
        job: None,
        outcome: None,
        detail: detail.unwrap_or_default(),
    }
}

/// A job of the contract. The worker's configuration has the settings and the service account of the integration.
fn job(
    served: &Served,
    id: String,
    operation: Operation,
    user: Option<crate::contract::User>,
    entitlements: Vec<crate::contract::Entitlement>,
) -> Job {
    Job {
        id,
        app: served.app.clone(),
        operation,
        mode: Mode::Execute,
        integration: Integration { id: served.id.clone(), settings: BTreeMap::new() },
        service_account: None,
        user,
        new_user: None,
        entitlements,
        window: Window::default(),
        safeguard: None,
        evidence: EvidencePolicy::Commit,
        requested_by: Some(RequestedBy {
            actor: Some("gateway".to_owned()),
            trigger: Some("scim".to_owned()),
            ticket: None,
        }),
        traceparent: None,
    }
}
