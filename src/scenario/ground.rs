//! The ground of a scenario: a fixture site of its own, or a real app that no other scenario uses in the meantime.

use std::{net::SocketAddr, sync::Arc};

use serde_json::Value;

use super::{
    app::{Apps, Taken},
    suite::{Changes, Scenario},
    world,
};
use crate::site::{Proxy, RequestLog, RunningSite, Site};

/// A site or an app that is ready for one scenario.
pub(super) struct Ground<'a> {
    kind: GroundKind<'a>,
    /// The world before the job.
    pub(super) before: Value,
}

enum GroundKind<'a> {
    Site(RunningSite),
    App { taken: Box<Taken>, proxy: Proxy, apps: &'a Apps },
}

impl<'a> Ground<'a> {
    /// A site in memory.
    pub(super) async fn site(site: &Site, scenario: &Scenario) -> Result<Ground<'a>, String> {
        let served = site.clone().serve(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let served = served.map_err(|error| error.to_string())?;
        served.change(|world| world::change(world, &scenario.world))?;
        served.fail_with(&scenario.faults)?;
        Ok(Ground { before: served.world(), kind: GroundKind::Site(served) })
    }

    /// The real app, in the state that the scenario describes.
    pub(super) async fn app(apps: &'a Apps, name: &str, scenario: &Scenario) -> Result<Ground<'a>, String> {
        let mut taken = Box::new(apps.take(name).await?);
        let prepared = prepare(&mut taken, &scenario.world).await;
        let proxied = match &prepared {
            Ok(_) => Proxy::before(taken.port(), &scenario.faults).await,
            Err(reason) => Err(reason.clone()),
        };
        match (prepared, proxied) {
            (Ok(before), Ok(proxy)) => Ok(Ground { before, kind: GroundKind::App { taken, proxy, apps } }),
            (_, Err(reason)) | (Err(reason), _) => {
                apps.give_back(*taken).await;
                Err(reason)
            }
        }
    }

    /// For the job's settings.
    pub(super) fn port(&self) -> u16 {
        match &self.kind {
            GroundKind::Site(site) => site.addr().port(),
            GroundKind::App { proxy, .. } => proxy.addr().port(),
        }
    }

    /// The requests that it has received.
    pub(super) fn log(&self) -> Arc<RequestLog> {
        match &self.kind {
            GroundKind::Site(site) => site.log(),
            GroundKind::App { proxy, .. } => proxy.log(),
        }
    }

    /// The faults that never happened.
    pub(super) fn unmet_faults(&self) -> Vec<String> {
        match &self.kind {
            GroundKind::Site(site) => site.unmet_faults(),
            GroundKind::App { proxy, .. } => proxy.unmet_faults(),
        }
    }

    /// Returns the world and ends the ground.
    pub(super) async fn end(self) -> Result<Value, String> {
        match self.kind {
            GroundKind::Site(site) => {
                let world = site.world();
                site.stop().await;
                Ok(world)
            }
            GroundKind::App { mut taken, proxy, apps } => {
                proxy.stop().await;
                let world = taken.world().await;
                apps.give_back(*taken).await;
                world
            }
        }
    }
}

async fn prepare(taken: &mut Taken, changes: &Changes) -> Result<Value, String> {
    let mut world = taken.seed().clone();
    world::change(&mut world, changes)?;
    taken.load(&world).await?;
    Ok(world)
}
