using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace FuncScaler;

/// <summary>
/// Words that an instance, a platform or a scaler has said, made fit for messages, logs and terminals: bounded, on one line, without
/// control characters.
/// </summary>
public static partial class RemoteWords
{
    /// <summary>The most characters that are kept of one answer.</summary>
    public const int Longest = 500;

    /// <summary>The text on one line, cut to a length.</summary>
    /// <param name="text">What was said; any length, any characters.</param>
    /// <param name="longest">The most characters that are kept; a longer text ends in "…".</param>
    public static string Clean(string text, int longest = Longest)
    {
        ArgumentNullException.ThrowIfNull(text);

        // No more is looked at than may be kept: lines' ends and colours take little.
        var plain = Escapes().Replace(text.Length > 2 * longest ? text[..(2 * longest)] : text, "");
        var clean = new StringBuilder(Math.Min(plain.Length, longest));
        foreach (var rune in plain.EnumerateRunes())
        {
            var isSpace = Rune.IsWhiteSpace(rune);
            if (isSpace ? clean.Length == 0 || clean[^1] == ' ' : IsUnfit(rune))
            {
                continue;
            }

            if (clean.Length + rune.Utf16SequenceLength > longest)
            {
                return clean.Append('…').ToString();
            }

            clean.Append(isSpace ? " " : rune.ToString());
        }

        return clean.ToString().TrimEnd();
    }

    /// <summary>Control characters, and those that change the direction or are not seen.</summary>
    private static bool IsUnfit(Rune rune) => Rune.GetUnicodeCategory(rune) is
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse;

    /// <summary>What terminals take as commands: colours, cursor movements, titles.</summary>
    [GeneratedRegex(@"\x1B(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1B]*(\x07|\x1B\\)?)")]
    private static partial Regex Escapes();
}
