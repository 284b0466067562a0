/// Why a store cannot be opened, in one sentence that says what to do. None of them holds a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The connection string cannot be read.
    #[error(
        "the MongoDB connection string cannot be used: {reason}; accepted is \
         mongodb://[user:password@]host[:port][,…][/database][?options], user and password percent-encoded, or \
         mongodb+srv://…"
    )]
    BadUri {
        /// What is wrong with it, without what stands before an `@`.
        reason: String,
    },
    /// The database's name is none.
    #[error(
        "{name:?} cannot be the name of a MongoDB database: it has 1 to 63 bytes, none of them a space or one of \
         / \\ . \" $ * < > : | ? or NUL, and it is none of admin, config and local, which are MongoDB's own"
    )]
    BadName {
        /// It.
        name: String,
    },
    /// Nothing there took the connection within the time that was given for it.
    #[error("no MongoDB primary answered at {hosts} within {seconds} s: {reason}")]
    Unreachable {
        /// Where it was looked for.
        hosts: String,
        /// For how long.
        seconds: u64,
        /// What was seen of it last.
        reason: String,
    },
    /// The user or the password is wrong.
    #[error(
        "MongoDB at {hosts} refused the user or the password of the connection string; if they are right, \
         authSource may have to name the database that the user was made in"
    )]
    WrongPassword {
        /// Where.
        hosts: String,
    },
    /// It asks for a user, and the connection string has none.
    #[error(
        "MongoDB at {hosts} asks for a user and a password; put them into the connection string"
    )]
    PasswordMissing {
        /// Where.
        hosts: String,
    },
    /// The user may not do what a store must.
    #[error(
        "the user of the connection string may not {action} in the database {database}; give it the role readWrite \
         on that database"
    )]
    NoRights {
        /// What was tried.
        action: String,
        /// Where.
        database: String,
    },
    /// It is a server of its own.
    #[error(
        "MongoDB at {hosts} is a standalone server, which has no transactions and no change streams; make it a \
         replica set of one: start mongod with --replSet rs0 and run rs.initiate() once in mongosh"
    )]
    Standalone {
        /// Where.
        hosts: String,
    },
    /// The connection string asks for another replica set than the one that is there.
    #[error(
        "the replica set at {hosts} is named {found:?} and not {wanted:?}; change replicaSet in the connection string"
    )]
    WrongSet {
        /// Where.
        hosts: String,
        /// What the connection string says.
        wanted: String,
        /// What is there.
        found: String,
    },
    /// A newer release has changed the database in a way that this one cannot work with.
    #[error(
        "the database {database} was migrated by a newer release ({name}), which this one cannot work with; start \
         that release or a newer one"
    )]
    NewerRelease {
        /// The database.
        database: String,
        /// The migration.
        name: String,
    },
    /// A migration is not the one that was once applied to this database.
    #[error(
        "the migration {name} is not the one that was applied to the database {database}: a released migration is \
         never edited"
    )]
    MigrationChanged {
        /// The migration.
        name: String,
        /// The database.
        database: String,
    },
    /// A step of a migration failed; what was there before is untouched, and the migration is not recorded.
    #[error("the migration {name} failed in the database {database}: cannot {step}: {reason}")]
    MigrationFailed {
        /// The migration.
        name: String,
        /// The database.
        database: String,
        /// What was to be done.
        step: String,
        /// Why it was not.
        reason: String,
    },
    /// This node stood still during a migration for so long that another one took over; what is left is for that one.
    #[error(
        "another node has taken over the migration of the database {database}, since this one stood still for too \
         long; start again"
    )]
    LockLost {
        /// The database.
        database: String,
    },
    /// A migration of this release itself is broken.
    #[error("the migration {name} of this release cannot be read")]
    BadMigration {
        /// It.
        name: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The database failed in another way.
    #[error("MongoDB failed while the database {database} was opened")]
    Database {
        /// The database.
        database: String,
        /// How.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
