//! What the ports promise, on a real replica set.

mod connecting;
mod hearing;
mod outage;
mod proxy;
mod values;

use crate::testing::fresh;

storage_contract::chat_contract!(fresh);
