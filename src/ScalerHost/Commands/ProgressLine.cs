using System.Globalization;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>
/// A line on standard error that says how far something has come and how long it still takes, where that is a terminal. What ends within
/// <see cref="Patience"/> shows nothing. Safe for concurrent use.
/// </summary>
internal sealed class ProgressLine : IDisposable
{
    /// <summary>How long nothing is shown.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(30);

    private readonly string _what;
    private readonly TextWriter? _output;
    private readonly int _width;
    private readonly TimeProvider _time;
    private readonly long _begun;
    private readonly Lock _gate = new();

    // What was reported of late: the estimate is of the pace of now, as parts may be done before or take unlike times.
    private readonly Queue<(TimeSpan At, double Share)> _lately = new();
    private TimeSpan _shownAt = Patience - Interval;
    private double _share;
    private int _shown;

    /// <summary>A line on this process's standard error; none where that is no terminal.</summary>
    public ProgressLine(string what)
        : this(what, Console.IsErrorRedirected ? null : Console.Error, Console.IsErrorRedirected ? 80 : Console.WindowWidth, TimeProvider.System)
    {
    }

    /// <param name="what">What is done.</param>
    /// <param name="output">Where the line is; null for nowhere.</param>
    /// <param name="width">How many characters fit on it.</param>
    /// <param name="time">The clock.</param>
    public ProgressLine(string what, TextWriter? output, int width, TimeProvider time)
    {
        (_what, _output, _width, _time, _begun) = (what, output, Math.Max(20, width), time, time.GetTimestamp());
        _lately.Enqueue((TimeSpan.Zero, 0));
    }

    /// <summary>Shows a share, 0 to 1; one less than before begins anew.</summary>
    /// <param name="share">The share that is done.</param>
    /// <param name="detail">What else there is to say of it.</param>
    public void Report(double share, string detail = "")
    {
        if (_output is null)
        {
            return;
        }

        lock (_gate)
        {
            var now = _time.GetElapsedTime(_begun);
            if (share < _share)
            {
                _lately.Clear();
                _lately.Enqueue((now, share));
            }

            _share = share;
            if (now - _shownAt < Interval)
            {
                return;
            }

            _shownAt = now;
            Write($"{_what}: {(detail.Length > 0 ? detail + ", " : "")}{(100 * share).ToString("0", CultureInfo.InvariantCulture)} %{Left(now, share)}");
            _lately.Enqueue((now, share));
            while (_lately.Peek().At < now - Remembered)
            {
                _lately.Dequeue();
            }
        }
    }

    /// <summary>Takes the line away.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_shown > 0)
            {
                Write("");
                _output!.Write('\r');
            }
        }
    }

    private string Left(TimeSpan now, double share)
    {
        var (since, before) = _lately.Peek();
        return share > before && now > since
            ? $", {Duration(TimeSpan.FromSeconds(Math.Min(1e8, (1 - share) / (share - before) * (now - since).TotalSeconds)))} left"
            : "";
    }

    private static string Duration(TimeSpan time) => time.TotalHours >= 1
        ? time.TotalHours.ToString("0.0", CultureInfo.InvariantCulture) + " h"
        : time.TotalMinutes >= 2 ? Math.Ceiling(time.TotalMinutes).ToString("0", CultureInfo.InvariantCulture) + " min"
        : Math.Ceiling(time.TotalSeconds).ToString("0", CultureInfo.InvariantCulture) + " s";

    private void Write(string line)
    {
        line = line.Length < _width ? line : line[..(_width - 1)];
        _output!.Write('\r' + line.PadRight(_shown));
        _shown = line.Length;
    }
}
