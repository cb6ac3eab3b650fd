namespace FuncScaler.Learned;

/// <summary>A <see cref="LearnedRecord"/> and its time.</summary>
/// <param name="Record">The bytes.</param>
/// <param name="WrittenUs">When it was written, µs on the reader's clock.</param>
public readonly record struct LearnedBytes(ReadOnlyMemory<byte> Record, long WrittenUs);
