// Makes three empty members one replica set with two users. Run by mongosh on the first member's own loopback address, where MongoDB
// lets the first user be made without one. Every step asks first what is there, so that running it again changes nothing.

const setName = "rs0";
const hosts = process.env.MONGO_HOSTS.split(",");
const rootPassword = process.env.MONGO_ROOT_PASSWORD;
const skeinPassword = process.env.MONGO_SKEIN_PASSWORD;
const database = process.env.MONGO_SKEIN_DATABASE || "skein";
const admin = db.getSiblingDB("admin");

function until(what, seconds, attempt) {
  let last = "";
  for (let i = 0; i < seconds * 2; i++) {
    try {
      const value = attempt();
      if (value) return value;
    } catch (error) {
      last = error.codeName || error.message;
    }
    sleep(500);
  }
  throw new Error(`${what}: not within ${seconds} s${last ? ` (${last})` : ""}`);
}

function signIn() {
  try {
    return admin.auth("root", rootPassword).ok === 1;
  } catch (error) {
    if (error.codeName === "AuthenticationFailed") return false;
    throw error;
  }
}

// One member first: it is primary at once and for certain, so the users can be made on it.
const hello = admin.hello();
if (!hello.setName) {
  print(`initiating ${setName} with ${hosts[0]}`);
  until("the initiation", 30, () => {
    try {
      return rs.initiate({ _id: setName, members: [{ _id: 0, host: hosts[0] }] }).ok;
    } catch (error) {
      if (error.codeName === "AlreadyInitialized") return true;
      throw error;
    }
  });
}
// Only an unfinished first run has no user; then this member is the only one, and becomes primary.
if (!signIn()) {
  const wrong = "there is a user root already, and MONGO_ROOT_PASSWORD is not its password";
  until(`a primary on this member (or ${wrong})`, 30, () => admin.hello().isWritablePrimary);
  print("creating the user root");
  try {
    admin.createUser({ user: "root", pwd: rootPassword, roles: ["root"] });
  } catch (error) {
    throw new Error(error.codeName === "Unauthorized" ? wrong : error.message);
  }
  if (!signIn()) throw new Error("root was made and cannot sign in");
}

// What follows needs the primary, which a later run may find on another member.
const primary = until("a primary", 60, () => admin.hello().primary);
const set = new Mongo(
  `mongodb://root:${encodeURIComponent(rootPassword)}@${primary}/?authSource=admin&directConnection=true`,
);
const setAdmin = set.getDB("admin");

const rights = [{ role: "readWrite", db: database }];
if (setAdmin.getUser("skein")) {
  setAdmin.updateUser("skein", { pwd: skeinPassword, roles: rights });
} else {
  print("creating the user skein");
  setAdmin.createUser({ user: "skein", pwd: skeinPassword, roles: rights });
}

// MongoDB takes one new voting member at a time, and the next when the last change is committed.
for (const host of hosts) {
  until(`adding ${host}`, 120, () => {
    const config = setAdmin.runCommand({ replSetGetConfig: 1 }).config;
    if (config.members.some((member) => member.host === host)) return true;
    print(`adding ${host}`);
    const id = Math.max(...config.members.map((member) => member._id)) + 1;
    config.members.push({ _id: id, host });
    config.version += 1;
    setAdmin.runCommand({ replSetReconfig: config });
    return true;
  });
}
until("every member's health", 120, () => {
  const states = setAdmin.runCommand({ replSetGetStatus: 1 }).members.map((member) => member.stateStr);
  return states.length >= hosts.length && states.every((state) => state === "PRIMARY" || state === "SECONDARY");
});
print(`${setName} is ready: ${hosts.join(", ")}`);
