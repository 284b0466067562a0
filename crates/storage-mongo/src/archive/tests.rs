//! The ports of records. Those that the engine calls are tested in [`crate::tests`].

use crate::testing::fresh;

storage_contract::records_contract!(fresh);
storage_contract::archive_contract!(fresh);
