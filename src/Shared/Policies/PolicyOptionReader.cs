using System.Globalization;

namespace FuncScaler.Policies;

/// <summary>
/// Reads what follows a policy's name: <c>key=value</c> pairs separated by commas, of which one may be a bare value, that of the policy's
/// main option. So <c>provisioned:2</c> and <c>provisioned:n=2,keep=60</c>.
/// </summary>
public sealed class PolicyOptionReader
{
    private const double LongestSeconds = 31_536_000;

    private readonly PolicyEntry _policy;
    private readonly string _text;
    private readonly Dictionary<string, string> _unread = [];
    private string? _bare;

    /// <param name="policy">Whose options they are; named in errors.</param>
    /// <param name="text">What follows the colon; null for nothing.</param>
    /// <exception cref="FormatException">Not of that form.</exception>
    public PolicyOptionReader(PolicyEntry policy, string? text)
    {
        ArgumentNullException.ThrowIfNull(policy);
        _policy = policy;
        _text = text ?? "";
        if (text is null)
        {
            return;
        }

        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0 ? part.Length == 0 || _bare is not null : !_unread.TryAdd(part[..equals].TrimEnd(), part[(equals + 1)..].TrimStart()))
            {
                throw Wrong($"'{text}' is not a list of options, each given once");
            }

            _bare = equals < 0 ? part : _bare;
        }
    }

    /// <summary>A number.</summary>
    /// <param name="key">The option's name.</param>
    /// <param name="otherwise">Its value where it is not given.</param>
    /// <param name="least">The least value allowed.</param>
    /// <param name="most">The greatest value allowed.</param>
    /// <param name="main">Whether a bare value is meant for it.</param>
    /// <exception cref="FormatException">Not a number in that range.</exception>
    public double Number(string key, double otherwise, double least, double most, bool main = false)
    {
        if (Take(key, main) is not { } text)
        {
            return otherwise;
        }

        return TryNumber(text, least, most, out var value)
            ? value
            : throw Wrong($"'{text}' is not a value for {key}; that is a number {Range(least, most)}");
    }

    /// <summary>A time, given in seconds; parameters as for <see cref="Number"/>.</summary>
    /// <exception cref="FormatException">Not a number in that range.</exception>
    public TimeSpan Time(string key, TimeSpan otherwise, double leastSeconds = 0, double mostSeconds = LongestSeconds, bool main = false)
    {
        if (Take(key, main) is not { } text)
        {
            return otherwise;
        }

        var what = mostSeconds == LongestSeconds ? ", a year," : "";
        return TryNumber(text, leastSeconds, mostSeconds, out var value)
            ? TimeSpan.FromSeconds(value)
            : throw Wrong($"'{text}' is not a number of seconds {Range(leastSeconds, mostSeconds)}{what} for {key}");
    }

    /// <summary>A time, given in hours; parameters as for <see cref="Number"/>.</summary>
    /// <exception cref="FormatException">Not a number in that range.</exception>
    public TimeSpan Hours(string key, TimeSpan otherwise, double least, double most, bool main = false) =>
        TimeSpan.FromHours(Number(key, otherwise.TotalHours, least, most, main));

    /// <summary>A whole number; parameters as for <see cref="Number"/>.</summary>
    /// <exception cref="FormatException">Not a whole number in that range.</exception>
    public int Whole(string key, int otherwise, int least, int most, bool main = false)
    {
        if (Take(key, main) is not { } text)
        {
            return otherwise;
        }

        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
            ? value
            : throw Wrong($"'{text}' is not a value for {key}; that is a whole number {Range(least, most)}");
    }

    /// <summary><c>on</c> or <c>off</c>.</summary>
    /// <exception cref="FormatException">Neither.</exception>
    public bool Switch(string key, bool otherwise) => Take(key, main: false) switch
    {
        null => otherwise,
        "on" => true,
        "off" => false,
        var text => throw Wrong($"'{text}' is not a value for {key}; that is on or off"),
    };

    /// <summary>All that follows the policy's name, for a policy that reads it by itself; empty for nothing.</summary>
    public string TakeAll()
    {
        _bare = null;
        _unread.Clear();
        return _text;
    }

    /// <summary>To be called once all options are read: whatever is left is not an option of the policy.</summary>
    /// <exception cref="FormatException">Something is left.</exception>
    public void Finish()
    {
        if ((_bare ?? _unread.Keys.FirstOrDefault()) is { } left)
        {
            throw Wrong(_policy.Option.Length == 0 ? "it takes no option" : $"it has no option '{left}'");
        }
    }

    private static bool TryNumber(string text, double least, double most, out double value) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && value >= least && value <= most;

    private static string Range(double least, double most) =>
        string.Create(CultureInfo.InvariantCulture, $"from {least:0.######} to {most:0.######}");

    private string? Take(string key, bool main)
    {
        if (_unread.Remove(key, out var text))
        {
            return text;
        }

        if (main)
        {
            text = _bare;
            _bare = null;
        }

        return text;
    }

    /// <summary>The error that says of the options as a whole what is wrong.</summary>
    public FormatException Wrong(string what) => new($"Policy '{_policy.Name}': {what}. Write {_policy.Usage}.");
}
