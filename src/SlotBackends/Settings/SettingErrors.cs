using System.Globalization;
using System.Text.Json;

namespace FuncScaler.SlotBackends.Settings;

/// <summary>
/// What is wrong with settings, in sentences of one form, whether they come from a file, a variable or the command line: where it stands, what
/// was read there, what is wrong with that, and how to mend it.
/// </summary>
public sealed class SettingErrors
{
    private const int LongestRead = 100;

    /// <summary>A sentence quotes names out of a file, whatever stands there.</summary>
    private const int LongestSentence = 2000;

    private readonly List<string> _sentences = [];

    /// <summary>A sentence for each error, in the order of finding; empty when all is well.</summary>
    public IReadOnlyList<string> Sentences => _sentences;

    /// <summary>The sentence for one error.</summary>
    /// <param name="where">The setting as it is written, for example <c>functions.f.start.timeout</c> or <c>--length</c>.</param>
    /// <param name="read">What was read there.</param>
    /// <param name="wrong">What is wrong with it, for example "is no port".</param>
    /// <param name="mend">What to write instead, for example "give a whole number from 0 to 65535".</param>
    public static string Sentence(string where, object? read, string wrong, string mend) => Fit($"{where} {Shown(read)} {wrong}: {mend}.");

    /// <summary>Adds an error; parameters as for <see cref="Sentence"/>.</summary>
    public void Add(string where, object? read, string wrong, string mend) => _sentences.Add(Sentence(where, read, wrong, mend));

    /// <summary>Adds an error that is no single value's.</summary>
    public void Add(string sentence) => _sentences.Add(Fit(sentence));

    /// <summary>Adds errors that were found elsewhere.</summary>
    public void AddRange(IEnumerable<string> sentences) => _sentences.AddRange(sentences);

    /// <summary>Adds an error where something does not hold; parameters as for <see cref="Sentence"/>.</summary>
    public void Require(bool holds, string where, object? read, string wrong, string mend)
    {
        if (!holds)
        {
            Add(where, read, wrong, mend);
        }
    }

    /// <summary>Adds an error where a number is outside its range.</summary>
    public void Range(string where, double read, double least, double most) => Require(
        read >= least && read <= most, where, read, "is out of range", string.Create(CultureInfo.InvariantCulture, $"give {least:0.######} to {most:0.######}"));

    /// <summary>Adds an error where a time is outside its range.</summary>
    public void Range(string where, TimeSpan read, TimeSpan least, TimeSpan most) => Require(
        read >= least && read <= most, where, read, "is out of range", $"give {Shown(least)} to {Shown(most)}, {Durations.Forms}");

    private static string Shown(object? value) => value switch
    {
        null => "null",
        string text => $"'{RemoteWords.Clean(text, LongestRead)}'",
        TimeSpan time => time.ToString("c", CultureInfo.InvariantCulture),
        JsonElement json => RemoteWords.Clean(json.GetRawText(), LongestRead),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => RemoteWords.Clean(value.ToString() ?? "", LongestRead),
    };

    private static string Fit(string sentence) => RemoteWords.Clean(sentence, LongestSentence);
}
