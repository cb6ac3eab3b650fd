namespace FuncScaler.Benchmarks;

/// <summary>What became of the requests that were due in one second. Counted by when they were due, not by when they were sent or answered.</summary>
internal sealed class Second
{
    private readonly Lock _gate = new();
    private readonly List<double> _servedMs = [];
    private int _refused;
    private int _failed;
    private int _late;

    public int Due { get; set; }

    /// <summary>The server's memory at the end of the second, MB.</summary>
    public long ServerMb { get; set; }

    public double ServedShare => Due == 0 ? 1 : (double)_servedMs.Count / Due;

    public double P99Ms => Percentile(0.99);

    /// <summary>An instance after so long from when the request was due.</summary>
    public void Served(double ms, double withinMs)
    {
        lock (_gate)
        {
            if (ms <= withinMs)
            {
                _servedMs.Add(ms);
            }
            else
            {
                _late++;
            }
        }
    }

    public void Refused() => Interlocked.Increment(ref _refused);

    public void Failed() => Interlocked.Increment(ref _failed);

    /// <summary>A line of the table: due, served, refused, late, failed, p50, p99, memory.</summary>
    public override string ToString() => FormattableString.Invariant(
        $"{Due}\t{_servedMs.Count}\t{_refused}\t{_late}\t{_failed}\t{Percentile(0.5):F1}\t{P99Ms:F1}\t{ServerMb}");

    private double Percentile(double share)
    {
        lock (_gate)
        {
            _servedMs.Sort();
            return _servedMs.Count == 0 ? 0 : _servedMs[(int)((_servedMs.Count - 1) * share)];
        }
    }
}
