//! Orders about held chains.

use vyrox_domain::{
    host::{HostRefusal, HostState},
    host_protocol::{HostCommand, RepairOrdered},
};

use super::makers::{BEGIN, BY, add, done, tenant};

fn order(n: u8, id: u128, lines: Option<u64>) -> HostCommand {
    HostCommand::OrderRepair(RepairOrdered {
        tenant_id: tenant(n),
        repair_id: uuid::Uuid::from_u128(id),
        from_seq: 4,
        lines,
        restored_to: None,
        stood_in: Vec::new(),
        loss_accepted: false,
        by: BY.into(),
    })
}

/// Lines were put back behind a held chain's end with no entry anywhere. The order that says so now is
/// not one that lets the chain go on: none of those is carried out in its place.
#[test]
fn an_order_to_put_lines_back_lets_nothing_go_on() {
    let mut state = HostState::default();
    done(&mut state, add(1, Vec::new()), BEGIN).expect("taken on");
    let ordered = |state: &HostState| {
        let repair = state
            .tenants
            .get(&tenant(1))
            .expect("a tenant")
            .repair
            .clone();
        repair.map(|order| order.repair_id.as_u128())
    };
    done(&mut state, order(1, 1, Some(2)), BEGIN).expect("written down");
    assert_eq!(ordered(&state), None);
    done(&mut state, order(1, 2, None), BEGIN).expect("written down");
    done(&mut state, order(1, 3, Some(0)), BEGIN).expect("written down");
    assert_eq!(ordered(&state), Some(2));
    let nobody = done(&mut state, order(2, 4, Some(1)), BEGIN);
    assert_eq!(nobody, Err(HostRefusal::UnknownTenant));
}
