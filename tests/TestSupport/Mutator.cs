using System.Globalization;
using System.Text;

namespace FuncScaler.Tests;

/// <summary>
/// Bytes that readers did not expect, made from bytes that they do, by seed. FUNCSCALER_FUZZ says how many a target is given, and
/// FUNCSCALER_FUZZ_SEED where to begin: with 1 and the seed of a failure exactly that one is tried.
/// </summary>
internal static class Mutator
{
    private static readonly byte[][] Pieces =
    [
        .. new[]
        {
            "", "0", "-1", "1e308", "-1e-308", "99999999999999999999", "9223372036854775807", "-9223372036854775808", "2147483648", "NaN", "Infinity", "null", "true", "[]", "{}", "\"\"", "\"", "'",
            ",", ":", "{", "}", "[", "]", "\n", "\r\n", "\t", " ", "\\u0000", "\\ud800", "\0", "\uFEFF", "\u2028", "%2e%2e%2f", "../", "//", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z",
            "00:00:00", "-00:00:01", "10675199.02:48:05.4775807", "é", "😀",
        }.Select(Encoding.UTF8.GetBytes),
        [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0x1F, 0x8B, 0x08], [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], Encoding.UTF8.GetBytes(new string('[', 300)), Encoding.UTF8.GetBytes(new string('9', 400)),
    ];

    /// <summary>How many mutants a target is given; 300, or 2,000 in long runs, unless told otherwise.</summary>
    public static int Count => (int)TestLength.Count("FUNCSCALER_FUZZ", 300, 2_000);

    /// <summary>The first seed; 1 unless told otherwise.</summary>
    public static int First => Number("FUNCSCALER_FUZZ_SEED", 1);

    /// <summary>Tries every seed. Whatever the target throws fails the test, with the seed and what was read.</summary>
    /// <param name="good">What the target reads without complaint; one of them is changed.</param>
    /// <param name="target">Reads the bytes; it throws what it may not throw.</param>
    public static void Try(IReadOnlyList<byte[]> good, Action<byte[]> target)
    {
        for (var seed = First; seed < First + Count; seed++)
        {
            var mutant = Mutate(good[seed % good.Count], seed);
            try
            {
                target(mutant);
            }
            catch (Exception e)
            {
                throw Failed(seed, mutant, e);
            }
        }
    }

    /// <inheritdoc cref="Try"/>
    public static async Task TryAsync(IReadOnlyList<byte[]> good, Func<byte[], Task> target)
    {
        for (var seed = First; seed < First + Count; seed++)
        {
            var mutant = Mutate(good[seed % good.Count], seed);
            try
            {
                await target(mutant);
            }
            catch (Exception e)
            {
                throw Failed(seed, mutant, e);
            }
        }
    }

    /// <summary>The same bytes with one to four changes.</summary>
    public static byte[] Mutate(byte[] good, int seed)
    {
        var random = new Random(seed);
        var bytes = good.ToList();
        for (var left = random.Next(2) == 0 ? 0 : random.Next(4); left >= 0; left--)
        {
            var at = random.Next(bytes.Count + 1);
            var length = Math.Min(random.Next(1, 12), bytes.Count - at);
            switch (random.Next(7))
            {
                case 0 when at < bytes.Count:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1 when at < bytes.Count:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.RemoveRange(at, length);
                    break;
                case 3:
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
                case 4 when random.Next(8) == 0:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                case 5:
                    bytes.RemoveRange(at, length);
                    bytes.InsertRange(at, Pieces[random.Next(Pieces.Length)]);
                    break;
                default:
                    bytes.InsertRange(at, Pieces[random.Next(Pieces.Length)]);
                    break;
            }
        }

        return [.. bytes];
    }

    private static InvalidOperationException Failed(int seed, byte[] mutant, Exception e) => new(
        $"Seed {seed}: {e.GetType().Name}: {e.Message}\nRepeat it with FUNCSCALER_FUZZ=1 FUNCSCALER_FUZZ_SEED={seed}. It read:\n{Encoding.Latin1.GetString(mutant[..Math.Min(mutant.Length, 4000)])}", e);

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : otherwise;
}
