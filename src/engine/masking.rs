//! Removes the secrets in use from what a run has read. A page may show a secret wherever it shows a text.

use super::conclude::Conclusion;
use crate::{
    contract::{Change, Entitled, Failure, UserRecord},
    secret::Mask,
};

/// The conclusion without any secret. What was read is compared before this, so that no difference is hidden.
pub(super) fn masked(mut conclusion: Conclusion, mask: &Mask) -> Conclusion {
    if mask.is_empty() {
        return conclusion;
    }
    conclusion.before.iter_mut().chain(&mut conclusion.after).for_each(|user| mask_user(user, mask));
    conclusion.users.iter_mut().flatten().for_each(|user| mask_user(user, mask));
    conclusion.changes.iter_mut().for_each(|change| mask_change(change, mask));
    conclusion.entitlements.iter_mut().flatten().for_each(|entitled| mask_entitled(entitled, mask));
    conclusion
        .error
        .iter_mut()
        .chain(&mut conclusion.refusal)
        .for_each(|failure| mask_failure(failure, mask));
    conclusion.other_record_touched.iter_mut().for_each(|shown| hide(shown, mask));
    conclusion.drift.iter_mut().for_each(|remark| hide(remark, mask));
    conclusion
}

fn mask_user(user: &mut UserRecord, mask: &Mask) {
    hide(&mut user.user_name, mask);
    user.pending.iter_mut().for_each(|text| hide(text, mask));
    user.attributes.values_mut().for_each(|text| hide(text, mask));
    for entitlement in &mut user.entitlements {
        hide(&mut entitlement.value, mask);
        entitlement.display.iter_mut().for_each(|text| hide(text, mask));
    }
}

fn mask_change(change: &mut Change, mask: &Mask) {
    change.from.iter_mut().chain(&mut change.to).for_each(|text| hide(text, mask));
}

fn mask_entitled(entitled: &mut Entitled, mask: &Mask) {
    hide(&mut entitled.value, mask);
    entitled.display.iter_mut().for_each(|text| hide(text, mask));
}

fn mask_failure(failure: &mut Failure, mask: &Mask) {
    hide(&mut failure.message, mask);
    failure.page_said.iter_mut().chain(&mut failure.hint).for_each(|text| hide(text, mask));
}

fn hide(text: &mut String, mask: &Mask) {
    if mask.finds(text) {
        *text = mask.text(text);
    }
}
