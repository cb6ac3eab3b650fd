namespace FuncScaler.Runtime.Execution;

/// <summary>
/// Which failures of the backend's calls get a line of their own in the log: so many a minute of each kind of call. A platform that refuses all would
/// else fill the disk. Safe for concurrent use.
/// </summary>
/// <param name="time">The clock.</param>
internal sealed class FailureLines(TimeProvider time)
{
    /// <summary>Lines a minute for each kind of call.</summary>
    public const int MostAMinute = 20;

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<EffectKind, Lines> _lines = [];

    /// <summary>A call has failed.</summary>
    /// <param name="call">Its kind.</param>
    /// <param name="leftOut">How many failures of this kind had no line since the last that had one.</param>
    /// <returns>Whether this one gets a line.</returns>
    public bool Take(EffectKind call, out int leftOut)
    {
        lock (_gate)
        {
            leftOut = 0;
            if (!_lines.TryGetValue(call, out var lines))
            {
                _lines[call] = lines = new Lines { SinceTicks = time.GetTimestamp() };
            }
            else if (time.GetElapsedTime(lines.SinceTicks) >= Minute)
            {
                (leftOut, lines.LeftOut) = (lines.LeftOut, 0);
                (lines.Written, lines.SinceTicks) = (0, time.GetTimestamp());
            }

            if (lines.Written < MostAMinute)
            {
                lines.Written++;
                return true;
            }

            lines.LeftOut++;
            return false;
        }
    }

    private sealed class Lines
    {
        public long SinceTicks { get; set; }

        public int Written { get; set; }

        public int LeftOut { get; set; }
    }
}
