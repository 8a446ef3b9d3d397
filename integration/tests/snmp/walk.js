// Walks KEEPALIVED-MIB with npm's net-snmp, 25 objects at a time, and writes how many there are. Where it is: NODE_PATH.
const snmp = require("net-snmp");

const session = snmp.createSession("127.0.0.1", "public", { port: 1161, version: snmp.Version2c });
let objects = 0;
session.subtree(
  "1.3.6.1.4.1.9586.100.5",
  25,
  (binds) => {
    for (const bind of binds) {
      if (snmp.isVarbindError(bind)) throw new Error(snmp.varbindError(bind));
      objects += 1;
    }
  },
  (error) => {
    if (error) throw error;
    console.log(objects);
    session.close();
  },
);
