//! Every time and number that bounds a wait, once, with what it bounds.

use std::time::Duration;

/// Between two looks at what a page cannot wait for itself: other frames, a list that fills itself, a window.
pub(super) const POLL: Duration = Duration::from_millis(50);

/// One step, where the playbook does not say.
pub(super) const STEP_TIME: Duration = Duration::from_secs(10);
/// The driver's answer, in addition to the time that the page itself has.
pub(super) const DRIVER_GRACE: Duration = Duration::from_secs(3);
/// Reading what a commit has done, in addition to the job's deadline.
pub(super) const READ_BACK_GRACE: Duration = Duration::from_secs(60);

/// One frame is asked for this long while something is watched for in other frames.
pub(super) const FRAME_SLICE: Duration = Duration::from_secs(1);
/// After this long without an answer the page is looked at. An error page of the server, or a sign-in page, stays one.
pub(super) const FIRST_LOOK: Duration = Duration::from_secs(2);
/// A question that the page answers at once: its facts, the verdict on a press, whether a secret shows.
pub(super) const FACTS_TIME: Duration = Duration::from_secs(1);
/// Whether something is so now, including the time until the page can be asked.
pub(super) const PROBE_TIME: Duration = Duration::from_secs(10);
/// What an input has set off: a navigation, a request, a change of the page.
pub(super) const SETTLE_TIME: Duration = Duration::from_secs(20);
/// Typing into a field, setting it, and reading it back.
pub(super) const INPUT_TIME: Duration = Duration::from_secs(5);

/// After a field was set again that the page had reset: the page may reset it again.
pub(super) const RESET_TIME: Duration = Duration::from_millis(250);

/// The app shows that the account is signed in, after the steps of the sign-in.
pub(super) const SIGN_IN_TIME: Duration = Duration::from_secs(15);
/// The same, where the session was signed in before.
pub(super) const STILL_IN_TIME: Duration = Duration::from_secs(3);

/// The app shows a list, or the answer to a search.
pub(super) const READ_TIME: Duration = Duration::from_secs(15);
/// A search within the same page shows its answer. Afterwards the list is read as it is.
pub(super) const SEARCH_TIME: Duration = Duration::from_millis(1_500);
/// The page's server begins to answer. One exchange that takes longer is standing, and is not waited for again.
pub(super) const EXCHANGE_TIME: Duration = Duration::from_secs(10);
/// What a commit has sent is answered, after its steps have ended.
pub(super) const SENT_TIME: Duration = Duration::from_secs(3);
/// A page that draws rows before their cells are filled asks for the rest within this time.
pub(super) const CELLS_TIME: Duration = Duration::from_secs(1);
/// An act that is about something asks for it: a search may wait for the end of the typing.
pub(super) const ANSWER_BEGINS: Duration = Duration::from_millis(700);
/// A page draws what it was answered. Where nothing changes in this time, the answer has changed nothing.
pub(super) const ANSWER_DRAWN: Duration = Duration::from_millis(500);
/// A page that shows nobody has drawn the answer to its call: what was there before may have to fade away first.
pub(super) const EMPTY_TIME: Duration = Duration::from_millis(800);
/// A page shows that the server has refused, or sends it once more.
pub(super) const REFUSAL_SHOWN: Duration = Duration::from_millis(1_500);
/// Two frames pass without a change. A page that always changes is read as it is.
pub(super) const STILL_TIME: Duration = Duration::from_millis(300);
/// More records arrive when a list is at its end.
pub(super) const MORE_TIME: Duration = Duration::from_millis(1_500);
/// A list is scrolled once more that fills in its cells when the scrolling has stopped.
pub(super) const FILL_TIME: Duration = Duration::from_secs(60);
/// The first pause between two reads after a commit. Each later pause is twice as long.
pub(super) const READ_AGAIN: Duration = Duration::from_millis(200);

/// What is shown under the pointer appears, before the pointer is moved there again.
pub(super) const HOVERED_TIME: Duration = Duration::from_millis(500);
/// A drop-down shows its options after it was opened.
pub(super) const OPENING_TIME: Duration = Duration::from_secs(3);
/// A control shows the option that was chosen.
pub(super) const SHOWING_TIME: Duration = Duration::from_secs(2);
/// Suggestions for a text that was typed arrive.
pub(super) const SUGGESTING_TIME: Duration = Duration::from_secs(3);

/// A native dialog opens after the step that raises it, where the playbook gives the step no `timeout`.
pub(super) const DIALOG_TIME: Duration = Duration::from_secs(3);
/// While a native dialog is waited for, what the browser has dismissed is looked at after each of these.
pub(super) const DIALOG_SLICE: Duration = Duration::from_millis(500);
/// A window closes itself after its steps.
pub(super) const CLOSING_TIME: Duration = Duration::from_secs(10);

/// One picture, with the look for secrets before and after it.
pub(super) const PICTURE_TIME: Duration = Duration::from_secs(10);
/// The evidence store keeps one file.
pub(super) const KEEPING_TIME: Duration = Duration::from_secs(10);

/// The age of the gate's permission when an input is sent. After a longer pause the gate is asked again.
pub(super) const PERMISSION_AGE: Duration = Duration::from_secs(1);
/// How many times the gate is asked before one input, on a machine that is too busy to send the input in time.
pub(super) const PERMISSIONS: usize = 10;
/// How many times a field is looked for again that the page has replaced under the input. A page may replace it with
/// each word that is typed: this must end.
pub(super) const FOUND_AGAIN: u32 = 3;
/// A one-time code that is valid for less than this many seconds may expire on its way.
pub(super) const CODE_MARGIN: u64 = 4;
/// How many times a list is read again that changes while it is read.
pub(super) const LIST_READ_AGAIN: u32 = 2;
