namespace FuncScaler.ContestSimulator.Nodes;

/// <summary>
/// What no scheduler can beat on a load: no call waits, every execution is as fast as alone, and at any time there are no more nodes than the memory
/// in use and the processors at work fill. Not reachable: containers take 3 to 4 s, and nobody knows what comes.
/// </summary>
public static class NodeBound
{
    /// <summary>The bound, in the form of a run.</summary>
    public static NodeResult Of(NodeTrace trace, NodeWorldOptions options)
    {
        ArgumentNullException.ThrowIfNull(trace);
        ArgumentNullException.ThrowIfNull(options);
        var functions = new (int Calls, double Seconds)[trace.Functions.Count];
        var changes = new SortedDictionary<long, (long Mb, double Cpus)>();
        var rpc = 2 * options.RpcSeconds;
        foreach (var request in trace.Requests)
        {
            var cpus = Math.Min(1, options.CpusPerGb * trace.Functions[request.Function].Meta.MemoryGb);
            var alone = request.AloneSeconds(cpus);
            functions[request.Function].Calls++;
            functions[request.Function].Seconds += alone + rpc;
            var endUs = request.StartUs + (long)(alone * 1e6);
            var computesUs = request.StartUs + (long)(request.SleepSeconds * 1e6);
            Change(request.StartUs, request.MemoryMb, 0);
            Change(computesUs, 0, cpus);
            Change(endUs, -request.MemoryMb, -cpus);
        }

        var counts = new List<(long AtUs, int Nodes)>();
        long mb = 0;
        var busy = 0.0;
        var active = 0.0;
        long atUs = 0;
        var nodes = 0;
        foreach (var (changeUs, change) in changes)
        {
            active += nodes * (changeUs - atUs) / 1e6;
            atUs = changeUs;
            mb += change.Mb;
            busy += change.Cpus;
            nodes = Math.Max(
                mb > 0 ? 1 : 0,
                Math.Max((int)((mb + options.NodeMemoryMb - 1) / options.NodeMemoryMb), (int)Math.Ceiling((busy / options.NodeCpus) - 1e-6)));
            counts.Add((atUs, nodes));
        }

        return new NodeResult
        {
            Scheduler = "bound",
            Trace = trace.Name,
            Functions = [.. functions.Select((f, i) => new NodeOutcome(trace.Functions[i], f.Calls, 0, f.Seconds, f.Calls * rpc))],
            NodeSeconds = active,
            NodeCounts = counts,
            ContainersCreated = 0,
            OutOfMemory = 0,
        };

        void Change(long changeUs, int memoryMb, double cpus)
        {
            var (knownMb, knownCpus) = changes.GetValueOrDefault(changeUs);
            changes[changeUs] = (knownMb + memoryMb, knownCpus + cpus);
        }
    }
}
