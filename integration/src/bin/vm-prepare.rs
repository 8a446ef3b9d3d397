//! Fetches the kernel that the tests of IPVS boot, before they run where there is no Internet (`integration/test`).

fn main() -> anyhow::Result<()> {
    integration::vm::prepare()
}
