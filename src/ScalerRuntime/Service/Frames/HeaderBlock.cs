namespace FuncScaler.Runtime.Service.Frames;

/// <summary>Looks for the path in a block of compressed header fields (HPACK, RFC 7541) of a peer that may keep no table of its own.</summary>
internal static class HeaderBlock
{
    private const int StaticFields = 61;
    private const int PathField = 4;
    private const int OtherPathField = 5;

    // As they are, and in Huffman's code of RFC 7541.
    private static readonly byte[][] Assigns =
    [
        [.. "/serverless.simulator.Scaler/Assign"u8],
        Convert.FromHexString("6105b3b96ca0a842e83536d0349ec5f7107416c621420d355f"),
        [.. "/schedulerproto.Scheduler/AcquireContainer"u8],
        Convert.FromHexString("61049cb25b416caec3a4ebee24e592da0b631093b5a6b0b78f52466a8b67"),
    ];

    /// <summary>Whether it is certain that the block asks for an instance; false where it cannot be told without a table.</summary>
    public static bool IsAssign(ReadOnlySpan<byte> block)
    {
        while (block.Length > 0)
        {
            var first = block[0];
            if (first >= 0x80)
            {
                // A whole field of the table.
                if (!TryReadNumber(ref block, 0x7F, out var field) || field > StaticFields || field is PathField or OtherPathField)
                {
                    return false;
                }

                continue;
            }

            // A new size of the table tells of a peer that had one.
            if ((first & 0xE0) == 0x20 || !TryReadNumber(ref block, first >= 0x40 ? 0x3F : 0x0F, out var name) || name > StaticFields)
            {
                return false;
            }

            var isPath = name is PathField or OtherPathField;
            if (name == 0)
            {
                if (!TryReadText(ref block, out var written))
                {
                    return false;
                }

                isPath = written.SequenceEqual(":path"u8);
            }

            if (!TryReadText(ref block, out var value))
            {
                return false;
            }

            if (isPath)
            {
                return IsAssignPath(value);
            }
        }

        return false;
    }

    private static bool IsAssignPath(ReadOnlySpan<byte> value)
    {
        foreach (var path in Assigns)
        {
            if (value.SequenceEqual(path))
            {
                return true;
            }
        }

        return false;
    }

    private static bool TryReadText(ref ReadOnlySpan<byte> block, out ReadOnlySpan<byte> text)
    {
        text = default;
        if (block.Length == 0 || !TryReadNumber(ref block, 0x7F, out var length) || length > block.Length)
        {
            return false;
        }

        text = block[..length];
        block = block[length..];
        return true;
    }

    /// <summary>A number in the low bits of the first byte or, where it does not fit, seven bits a byte from the second on.</summary>
    private static bool TryReadNumber(ref ReadOnlySpan<byte> block, int mask, out int number)
    {
        number = block[0] & mask;
        block = block[1..];
        if (number < mask)
        {
            return true;
        }

        for (var shift = 0; shift <= 14 && block.Length > 0; shift += 7)
        {
            var next = block[0];
            block = block[1..];
            number += (next & 0x7F) << shift;
            if (next < 0x80)
            {
                return true;
            }
        }

        return false;
    }
}
