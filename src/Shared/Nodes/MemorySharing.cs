using System.Runtime.InteropServices;

namespace FuncScaler.Nodes;

/// <summary>
/// How many requests may share a container, by the memory that requests are seen to use and by whether they slow each other down. Functions declare
/// much more memory than they use, as memory is how processors are asked for.
/// </summary>
/// <remarks>
/// Source of the idea: the diary of a participant of the 2020 contest. The number is doubled while that many requests fit into what the function
/// declares and executions last no longer than alone; where they do, it is halved again and stays. Durations are compared by the means of their
/// logarithms, as they spread over orders of magnitude: longer is by more than 10 % and more than two standard errors. A container that
/// dies while it is shared halves the number too. The pool itself watches further (<see cref="SlotPoolOptions.MostSlowdown"/>), within this number.
/// </remarks>
public sealed class MemorySharing
{
    /// <summary>The factor from which executions count as slowed down: below, what is saved is worth more than what is lost.</summary>
    private const double Slower = 1.1;

    /// <summary>Executions of a level before it is judged.</summary>
    private const int Enough = 24;

    /// <summary>The most executions after a change that began before it, and are not counted.</summary>
    private const int Skipped = 8;

    /// <summary>
    /// Executions from which a level may be found slow before there are <see cref="Enough"/> of it: each further one of a function that computes costs what
    /// it is slowed down by. With so few of them it takes three standard errors, by the spread of the executions alone.
    /// </summary>
    private const int Earliest = 3;

    private const double EarlyErrors = 3;

    private readonly Dictionary<MetaKey, Use> _uses = [];

    /// <param name="most">The most requests that share a container, from 1 to <see cref="FunctionMeta.MostConcurrency"/>.</param>
    public MemorySharing(int most = 100)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(most, FunctionMeta.MostConcurrency);
        Most = most;
    }

    /// <summary>The most requests that share a container.</summary>
    public int Most { get; }

    /// <summary>The function with the number of requests that may share a container now; the same object until that changes.</summary>
    public FunctionMeta Of(FunctionMeta function)
    {
        ArgumentNullException.ThrowIfNull(function);
        var use = CollectionsMarshal.GetValueRefOrAddDefault(_uses, function.Key, out _) ??= new Use(function);

        if (use.Function.MemoryMb != function.MemoryMb || use.Function.Runtime != function.Runtime || use.Function.TimeoutSeconds != function.TimeoutSeconds)
        {
            use.Function = function with { MaxConcurrency = use.Function.MaxConcurrency };
        }

        use.Running++;
        return use.Function;
    }

    /// <summary>A request was executed.</summary>
    /// <param name="function">Its function.</param>
    /// <param name="durationUs">How long, µs; 0 where that is not known.</param>
    /// <param name="memoryMb">The most memory that it used, MB; 0 where that is not known.</param>
    /// <param name="failed">Whether it failed.</param>
    public void Executed(MetaKey function, long durationUs, int memoryMb, bool failed)
    {
        if (!_uses.TryGetValue(function, out var use))
        {
            return;
        }

        use.Running = Math.Max(0, use.Running - 1);
        use.MostMb = Math.Max(use.MostMb, memoryMb);
        if (failed)
        {
            if (use.Function.MaxConcurrency > 1 && use.Current.Seen >= Skipped)
            {
                use.Halve();
            }

            use.Current.Seen = Math.Min(use.Current.Seen, 0);
            return;
        }

        if (durationUs <= 0)
        {
            return;
        }

        use.Current.Add(Math.Log(durationUs));
        if (use.Current.Count < Enough)
        {
            if (use.Number > 0 && use.IsClearlySlower)
            {
                use.Halve();
            }

            return;
        }

        if (use.Number > 0 && use.IsSlower)
        {
            use.Halve();
        }
        else if (!use.Settled && use.MostMb > 0 && use.Function.MaxConcurrency * 2 is var twice && twice <= Most && (long)twice * use.MostMb <= use.Function.MemoryMb)
        {
            use.Double();
        }
    }

    /// <summary>What is known of one function.</summary>
    private sealed class Use(FunctionMeta function)
    {
        private readonly List<Level> _levels = [new Level()];

        public FunctionMeta Function { get; set; } = function with { MaxConcurrency = 1 };

        public int MostMb { get; set; }

        /// <summary>Requests that were asked for and have not ended; those that got no container are never taken off.</summary>
        public int Running { get; set; }

        public int Number { get; private set; }

        public bool Settled { get; private set; }

        public Level Current => _levels[Number];

        public bool IsSlower
        {
            get
            {
                var (alone, now) = (_levels[0], Current);
                return now.Mean - alone.Mean > Math.Max(Math.Log(Slower), 2 * Math.Sqrt(now.ErrorSquared + alone.ErrorSquared));
            }
        }

        public bool IsClearlySlower
        {
            get
            {
                var (alone, now) = (_levels[0], Current);
                return now.Count >= Earliest && alone.Count >= Enough
                    && now.Mean - alone.Mean > Math.Max(Math.Log(Slower), EarlyErrors * Math.Sqrt((alone.Variance / now.Count) + alone.ErrorSquared));
            }
        }

        public void Halve() => Change(Number - 1, settled: true);

        public void Double() => Change(Number + 1, settled: false);

        private void Change(int number, bool settled)
        {
            (Number, Settled) = (number, settled);
            if (number == _levels.Count)
            {
                _levels.Add(new Level());
            }

            if (number > 0)
            {
                _levels[number] = new Level();
            }

            Current.Seen = Skipped - Math.Min(Skipped, Running);
            Function = Function with { MaxConcurrency = 1 << number };
        }
    }

    /// <summary>The executions while so many requests may share a container.</summary>
    private sealed class Level
    {
        private const int Remembered = 200;
        private double _variance;

        public int Seen { get; set; } = Skipped;

        public int Count { get; private set; }

        public double Mean { get; private set; }

        public double Variance => _variance;

        public double ErrorSquared => _variance / Math.Max(1, Count);

        public void Add(double value)
        {
            if (++Seen <= Skipped)
            {
                return;
            }

            Count = Math.Min(Count + 1, Remembered);
            var off = value - Mean;
            Mean += off / Count;
            _variance = (1 - (1.0 / Count)) * (_variance + (off * off / Count));
        }
    }
}
