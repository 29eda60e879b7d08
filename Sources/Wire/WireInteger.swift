/// Integers, little-endian.
@usableFromInline
package protocol WireInteger: WireValue, FixedWidthInteger, BitwiseCopyable {}

extension WireInteger {
    @inlinable package static var byteCount: Int { MemoryLayout<Self>.size }

    @inlinable
    package static func load(from packet: RawSpan, at offset: Int) -> Self {
        // SAFETY: any bits are an integer, and the call itself checks the bounds.
        Self(littleEndian: unsafe packet.unsafeLoadUnaligned(fromByteOffset: offset, as: Self.self))
    }

    @inlinable
    package func store(into packet: inout MutableRawSpan, at offset: Int) {
        packet.storeBytes(of: littleEndian, toByteOffset: offset, as: Self.self)
    }
}

extension UInt8: WireInteger {}
extension UInt16: WireInteger {}
extension UInt32: WireInteger {}
extension UInt64: WireInteger {}
