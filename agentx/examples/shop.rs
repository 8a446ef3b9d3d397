//! A shop's shelves as a table, below NET-SNMP-MIB's netSnmpPlaypen, through the snmpd of this host.
//!
//! `cargo run --example shop [-- tcp:localhost:705]`; `snmpwalk -v2c -c public localhost 1.3.6.1.4.1.8072.9999.9999`.

use std::sync::{Arc, RwLock};

use snmp_agentx::syntax::{DISPLAY_STRING, GAUGE32};
use snmp_agentx::*;

/// The program's own data.
struct Shop {
    name: String,
    shelves: Vec<(&'static str, u32)>,
}
impl Source for Shop {
    type State<'s> = &'s Shop;
    type Change = ();
}

struct Shelf;
impl Rows for Shelf {
    type Source = Shop;
    type Index = [u32; 1];
    type Row<'s> = &'s (&'static str, u32);
}

const ROOT: [u32; 9] = [1, 3, 6, 1, 4, 1, 8072, 9999, 9999];
const SHOP: Scalars<Shop> = Scalars {
    parent: &[1],
    scalars: &[Scalar::new(1, "shopName", DISPLAY_STRING, |shop| Some(value::text(&shop.name)))],
};
const SHELVES: Table<Shelf> = Table {
    name: "shopShelfEntry",
    entry: &[2, 1],
    index: &["shopShelfNumber"],
    rows: |At(shop), start| {
        let number = start.numbers::<1>()?[0].max(1);
        shop.shelves.get(number as usize - 1).map(|shelf| ([number], shelf))
    },
    columns: &[
        Column::new(2, "shopShelfGoods", DISPLAY_STRING, |shelf| Some(value::text(shelf.0))),
        Column::new(3, "shopShelfStock", GAUGE32, |shelf| Some(value::unsigned(shelf.1))),
    ],
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), address::AddressError> {
    let shop = Shop { name: "corner shop".into(), shelves: vec![("tea", 12), ("rice", 7)] };
    let address = std::env::args().nth(1).map_or(Ok(Address::default()), |text| text.parse())?;
    let (shop, mib) = (Arc::new(RwLock::new(shop)), Mib::new(&ROOT, &[&SHOP, &SHELVES]));
    let settings = Settings::new("a shop", vec![Subtree { priority: 127, root: oid(&ROOT), range: None }]);
    let (_handle, subagent) = Subagent::new(address, settings, move |answer| {
        if let Ok(shop) = shop.read() {
            answer(&mib.over(&shop));
        }
    });
    subagent.run(|change| println!("{change:?}")).await;
    Ok(())
}
