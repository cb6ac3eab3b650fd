using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using FuncScaler.Leasing.Messages;

namespace FuncScaler.Leasing;

/// <summary>
/// Tickets that many processes give out without asking each other: 43 bits say who counts, 20 bits count. Two of ten thousand counters share
/// a space with a probability of about 6 in a million.
/// </summary>
public static class TicketSpace
{
    /// <summary>Tickets of one space.</summary>
    public const int Size = 1 << 20;

    /// <summary>The number before the first ticket of the space that a name stands for.</summary>
    /// <param name="name">Never used before: a <see cref="WorkerId"/>, a function with the time its ledger began.</param>
    public static long For(string name)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(name), hash);
        return (long)(BinaryPrimitives.ReadUInt64LittleEndian(hash) >> 1) & ~(Size - 1L);
    }

    /// <summary>The slot that an instance id names; every worker makes ids in the same way, so every worker can tell.</summary>
    public static bool TryParse(InstanceId instance, string prefix, out SlotTicket ticket)
    {
        ticket = default;
        if (instance.Value is not { } text || !text.StartsWith(prefix, StringComparison.Ordinal)
            || !long.TryParse(text.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return false;
        }

        ticket = new SlotTicket(number);
        return true;
    }
}
