using System.Buffers;
using System.Text;

namespace FuncScaler.UnaryGrpc;

/// <summary>The percent-encoding of the grpc-message trailer: UTF-8, with all but printable ASCII, and '%' itself, escaped.</summary>
public static class GrpcMessageText
{
    private static readonly SearchValues<char> Plain = SearchValues.Create(
        " !\"#$&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    public static string Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!text.AsSpan().ContainsAnyExcept(Plain))
        {
            return text;
        }

        var encoded = new StringBuilder(text.Length + 16);
        foreach (byte octet in Encoding.UTF8.GetBytes(text))
        {
            if (octet is >= 0x20 and <= 0x7E and not (byte)'%')
            {
                encoded.Append((char)octet);
            }
            else
            {
                encoded.Append('%').Append(HexDigit(octet >> 4)).Append(HexDigit(octet & 0xF));
            }
        }

        return encoded.ToString();
    }

    /// <summary>
    /// Undoes <see cref="Encode"/>. A '%' that starts no escape stands for itself and bad UTF-8 becomes U+FFFD: the
    /// protocol forbids discarding a message, or failing, for its encoding.
    /// </summary>
    public static string Decode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!text.Contains('%', StringComparison.Ordinal))
        {
            return text;
        }

        byte[] octets = Encoding.UTF8.GetBytes(text);
        int length = 0;
        for (int i = 0; i < octets.Length; i++)
        {
            byte octet = octets[i];
            if (octet == '%'
                && i + 2 < octets.Length
                && char.IsAsciiHexDigit((char)octets[i + 1])
                && char.IsAsciiHexDigit((char)octets[i + 2]))
            {
                octet = (byte)((HexValue(octets[i + 1]) << 4) | HexValue(octets[i + 2]));
                i += 2;
            }

            // Decoding never lengthens, so it is done in place.
            octets[length++] = octet;
        }

        return Encoding.UTF8.GetString(octets, 0, length);
    }

    private static char HexDigit(int value) => (char)(value < 10 ? '0' + value : 'A' + value - 10);

    private static int HexValue(byte digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}
