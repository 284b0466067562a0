use super::{say, tell};
use crate::{
    config::{Config, Source, Storage},
    stores,
};

/// `skein migrate`: brings the database's layout up to date, or says what would be done.
pub async fn migrate(source: &Source, dry_run: bool) -> anyhow::Result<()> {
    let Storage::Mongo(config) = Config::read(source)?.storage else {
        return say(
            "The embedded store brings its layout up to date when it is opened: nothing to do.\n",
        );
    };
    let store = stores::connect(config, &mut tell).await?;
    let steps = if dry_run {
        store.plan().await?
    } else {
        store.migrate_telling(tell).await?
    };
    let place = store.place();
    store.close().await;
    if steps.is_empty() {
        return say(&format!("{place}: the layout is up to date.\n"));
    }
    for step in &steps {
        say(&format!("{step}\n"))?;
    }
    say(&format!(
        "{place}: {} {}.\n",
        steps.len(),
        if dry_run {
            "steps would be taken; nothing was changed"
        } else {
            "steps taken"
        }
    ))
}
