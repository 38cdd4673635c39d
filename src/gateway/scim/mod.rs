//! SCIM 2.0 as data: what requests ask for, what answers show (RFC 7643, RFC 7644). It accepts widely, because providers differ, and
//! publishes narrowly: just what the app takes and shows. Pure.

pub mod asked;
pub mod face;
pub mod fault;
pub mod filter;
mod names;
mod patch;
pub mod resource;
pub mod schema;
