//! A playbook as authored. The JSON Schema for editors comes from these types.

mod entitlement;
mod find_user;
mod login;
mod module;
mod operation;
mod playbook;
mod screen;
mod view;

pub use entitlement::{EntitlementRule, Values};
pub use find_user::{FindUser, Identity, Search};
pub use login::{Login, SendToken, Tenant, Token};
pub use module::{Module, Parameter};
pub use operation::{Becomes, OperationSteps};
pub use playbook::{Playbook, Setting};
pub use screen::{Overlay, Screen};
pub use view::{Column, Detail, Pages, Rows, Until, View};
