using System.Runtime.InteropServices;

namespace FuncScaler.ContestSimulator.Traces;

/// <summary>Function index by key, looked up by the key's UTF-8 bytes without allocating.</summary>
internal sealed class Utf8KeyTable
{
    private readonly Dictionary<byte[], int> _indexes;
    private readonly Dictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>> _bySpan;

    public Utf8KeyTable()
    {
        _indexes = new Dictionary<byte[], int>(new Comparer());
        _bySpan = _indexes.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    public int Count => _indexes.Count;

    public bool TryAdd(ReadOnlySpan<byte> key, int index) => _bySpan.TryAdd(key, index);

    public bool TryGet(ReadOnlySpan<byte> key, out int index) => _bySpan.TryGetValue(key, out index);

    private sealed class Comparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();

        public int GetHashCode(byte[] obj) => GetHashCode(obj.AsSpan());

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            // Eight bytes at a time: HashCode.AddBytes costs more than parsing the rest of a line does. Keys are a file's own, and few.
            var hash = 0x9E3779B97F4A7C15ul ^ (ulong)alternate.Length;
            var words = MemoryMarshal.Cast<byte, ulong>(alternate);
            foreach (var word in words)
            {
                hash = Mix(hash ^ word);
            }

            foreach (var rest in alternate[(words.Length * sizeof(ulong))..])
            {
                hash = Mix(hash ^ rest);
            }

            return (int)(hash >> 32) ^ (int)hash;
        }

        private static ulong Mix(ulong value)
        {
            value *= 0xBF58476D1CE4E5B9ul;
            return value ^ (value >> 29);
        }
    }
}
