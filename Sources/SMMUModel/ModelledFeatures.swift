public import SMMUv3

extension IDRegisters {
    /// These registers without what the software SMMU does not do: it shows and checks these, so that software written
    /// by the ID registers never waits for a feature that is not there.
    ///
    /// Left out: HTTU, BTM, ATOS, PRI, VMID wildcards, RME (IDR0); enhanced command queues (IDR1); PBHA, PPS, MPAM,
    /// PTWNNC, DPT and everything from bit 16 on (IDR3); DS and 56-bit addresses (IDR5).
    public var modelled: IDRegisters {
        var ids = self
        // BTM, HTTU, DORMHINT; ATOS, PRI, VMW; VATOS; ATSRECERR; RME_IMPL.
        ids.idr0 &= ~(0xf << 5 | 0x7 << 15 | 1 << 20 | 1 << 23 | 1 << 30)
        ids.idr1 &= ~(1 << 31)
        // PBHA; PPS; MPAM; PTWNNC and DPT; what later versions added.
        ids.idr3 &= ~(1 << 3 | 1 << 5 | 1 << 7 | 0x3 << 14 | 0xffff_0000)
        ids.idr5 &= ~(1 << 7 | 1 << 8)
        if ids.idr5 & 7 == 7 { ids.idr5 &= ~1 }
        return ids
    }
}
