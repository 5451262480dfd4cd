//! Trouble on purpose, for tests: outages, lost answers, failing and vanishing servers.
//!
//! Deliberately reached by no configuration key: nobody meets it who did not ask for it in code.

use std::time::Duration;

use ehos_model::{CloudName, Failure, ImageId, ServerId};

use crate::images::NextImage;
use crate::world::World;

/// How a cloud or the pool answers calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// As it should.
    #[default]
    Well,
    /// Every call fails with a transient failure of these words; nothing is carried out.
    Unreachable(String),
    /// No call returns until the health is another; then it is carried out or fails.
    Hanging,
}

/// What becomes of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum NextServer {
    #[default]
    Fine,
    AnswerLost {
        late: Duration,
    },
    Refused(Failure),
    Fails,
    NeverJoins,
    Says(String),
}

/// The means to make trouble in a world.
#[derive(Clone)]
pub struct Faults {
    world: World,
}

impl Faults {
    pub(crate) fn new(world: World) -> Self {
        Self { world }
    }

    /// Sets how a cloud answers from now on.
    pub fn cloud_health(&self, cloud: &CloudName, health: Health) {
        if let Some(cloud) = self.world.state().clouds.get_mut(cloud) {
            cloud.health = health;
        }
        self.world.tell_health_changed();
    }

    /// Sets how the pool answers from now on; its jobs go on whatever it answers.
    pub fn pool_health(&self, health: Health) {
        self.world.state().pool_health = health;
        self.world.tell_health_changed();
    }

    /// Has the answer of the next create lost: the caller learns of a transient failure at once, and the order is
    /// carried out all the same after `late`, as in a cloud whose queues are long.
    pub fn lose_next_answer(&self, cloud: &CloudName, late: Duration) {
        self.next(cloud, NextServer::AnswerLost { late });
    }

    /// Has the next create refused.
    pub fn refuse_next(&self, cloud: &CloudName, failure: Failure) {
        self.next(cloud, NextServer::Refused(failure));
    }

    /// Has the next create accepted and end in ERROR.
    pub fn fail_next(&self, cloud: &CloudName) {
        self.next(cloud, NextServer::Fails);
    }

    /// Has the next server come up without ever joining the pool.
    pub fn keep_next_out(&self, cloud: &CloudName) {
        self.next(cloud, NextServer::NeverJoins);
    }

    /// Has nothing happen to the next create, so that the trouble that is made after this meets the one after it.
    pub fn take_next_as_usual(&self, cloud: &CloudName) {
        self.next(cloud, NextServer::Fine);
    }

    /// Has the next server of role `build` say these words on its console in place of its marks, and nothing after.
    pub fn put_into_mouth(&self, cloud: &CloudName, words: &str) {
        self.next(cloud, NextServer::Says(words.to_owned()));
    }

    /// Has the next image end in *`killed`*.
    pub fn break_next_image(&self, cloud: &CloudName) {
        self.next_image(cloud, NextImage::Breaks);
    }

    /// Has the next image go away again before it is active.
    pub fn drop_next_image(&self, cloud: &CloudName) {
        self.next_image(cloud, NextImage::Vanishes);
    }

    /// Has the next image stay *`queued`*.
    pub fn hang_next_image(&self, cloud: &CloudName) {
        self.next_image(cloud, NextImage::Hangs);
    }

    /// Has the next image made, and its id lost on its way to the caller.
    pub fn lose_next_image(&self, cloud: &CloudName) {
        self.next_image(cloud, NextImage::AnswerLost);
    }

    fn next_image(&self, cloud: &CloudName, next: NextImage) {
        if let Some(cloud) = self.world.state().clouds.get_mut(cloud) {
            cloud.next_image = next;
        }
    }

    /// Has no server join that is ordered from this image from now on.
    pub fn spoil_image(&self, image: &ImageId) {
        self.world.state().spoilt.insert(image.clone());
    }

    /// Has the collector forget all and be of no use for a while.
    pub fn restart_collector(&self, down: Duration) {
        self.world.state().restart_collector(down);
    }

    /// Takes a server away, as if its host had burnt; its startd's ad stays and grows stale. Tells whether it was there.
    pub fn vanish(&self, server: &ServerId) -> bool {
        self.world.state().vanish(server)
    }

    /// Undoes what was set for clouds, images and pool; what happened has happened.
    pub fn heal(&self) {
        {
            let mut state = self.world.state();
            state.pool_health = Health::Well;
            state.spoilt.clear();
            for cloud in state.clouds.values_mut() {
                cloud.health = Health::Well;
                cloud.next.clear();
            }
        }
        self.world.tell_health_changed();
    }

    fn next(&self, cloud: &CloudName, fate: NextServer) {
        if let Some(cloud) = self.world.state().clouds.get_mut(cloud) {
            cloud.next.push_back(fate);
        }
    }
}
