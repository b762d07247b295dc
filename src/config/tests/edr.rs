use super::*;

/// The setting is for a stand-in on one machine. Left on, a tenant's credential could have the server speak to
/// whatever lies in its own network, and nothing said so.
#[test]
fn that_an_edr_may_be_in_ones_own_network_is_warned_of() {
    let told = warnings(load(&[("VYROX_EDR__ALLOW_PRIVATE", "true")]));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("edr.allow_private"), "{told:?}");
}
