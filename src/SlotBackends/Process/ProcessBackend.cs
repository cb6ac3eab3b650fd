using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using FuncScaler.SlotBackends.Http;

namespace FuncScaler.SlotBackends.Process;

/// <summary>
/// Slots that are processes on this machine: creating one reserves its memory, initialising it starts the configured command and waits until
/// it answers. On Linux none outlives the scaler, but for what docs/reference/backends.md says.
/// </summary>
public sealed class ProcessBackend : ISlotBackend, IInstanceOutput
{
    // What a shell ends with when there is no such program, or when it could not be run.
    private const int NotFound = 127;
    private const int CannotRun = 126;

    // Of all that starting a process may fail with, what will not be otherwise at the next try: no such file or folder, not permitted, no
    // program. As errno, and as Windows numbers them.
    private static readonly int[] ForGood = OperatingSystem.IsWindows() ? [2, 3, 5, 193, 267] : [2, 8, 13, 20];

    /// <summary>What starting an instance and looking whether it answers takes, at most.</summary>
    private const int DescriptorsPerStart = 16;

    /// <summary>How often it is looked who has come from whom, where there are no control groups.</summary>
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    private readonly ProcessOptions _options;
    private readonly TimeProvider _time;
    private readonly OutputLog _log;
    private readonly HttpMessageInvoker _http = InstanceHttp.Make();
    private readonly InstanceStarter _starter;
    private readonly Task<ControlGroups?> _groups;
    private readonly ITimer _looks;
    private readonly ConcurrentDictionary<BackendSlotId, ProcessSlot> _slots = new();
    private readonly Lock _gate = new();
    private long _promisedMb;
    private int _lastGroup;
    private bool _disposed;

    /// <param name="options">Settings, checked before.</param>
    /// <param name="time">The clock.</param>
    public ProcessBackend(ProcessOptions options, TimeProvider time)
    {
        if (options.Check() is { Count: > 0 } errors)
        {
            throw new ArgumentException(string.Join(" ", errors), nameof(options));
        }

        _options = options;
        _time = time;
        _log = new OutputLog(time);
        _starter = new InstanceStarter(_http, time);
        _groups = OpenGroupsAsync();
        _looks = time.CreateTimer(static state => ((ProcessBackend)state!).Look(), this, LookInterval, LookInterval);
    }

    public event Action<LostSlot>? SlotLost;

    public string Name => "process";

    public Task<BackendSlotId> CreateAsync(SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled<BackendSlotId>(cancellationToken);
        }

        var id = IdOf(ticket);
        if (Refusal(function) is { } refusal)
        {
            return Task.FromException<BackendSlotId>(new SlotBackendException(refusal));
        }

        if (!_slots.TryAdd(id, new ProcessSlot(ticket, function.MemoryMb, CommandOf(function)!)))
        {
            lock (_gate)
            {
                _promisedMb -= function.MemoryMb;
            }
        }

        return Task.FromResult(id);
    }

    public async Task<Uri?> InitAsync(BackendSlotId slot, InstanceId instance, FunctionMeta function, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!_slots.TryGetValue(slot, out var reserved))
        {
            throw Missing(slot);
        }

        await reserved.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (!reserved.Exists)
            {
                throw Missing(slot);
            }

            if (reserved.Instance is { } other)
            {
                return other == instance
                    ? reserved.Address
                    : throw new SlotBackendException(new SlotFailure(FailureKind.Permanent, $"slot {slot} is already allocated to instance {other}"));
            }

            reserved.Address = await StartAsync(reserved, instance, function, cancellationToken).ConfigureAwait(false);
            reserved.Instance = instance;
            return reserved.Address;
        }
        finally
        {
            reserved.Gate.Release();
        }
    }

    public async Task<bool> DestroyAsync(SlotTicket ticket, BackendSlotId slot, string reason, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var id = slot == default ? IdOf(ticket) : slot;
        if (!_slots.TryGetValue(id, out var reserved))
        {
            return false;
        }

        reserved.Ended = true;
        if (reserved.Instance is null)
        {
            // A start under way need not be waited for: without its process it fails.
            reserved.Process?.Kill();
        }

        await reserved.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (reserved.Process is { } process)
            {
                await process.StopAsync(_options.StopTimeout, cancellationToken).ConfigureAwait(false);
                await process.DisposeAsync().ConfigureAwait(false);
                reserved.Process = null;
            }
        }
        finally
        {
            reserved.Gate.Release();
        }

        return Forget(id, reserved);
    }

    public Task<IReadOnlyList<ListedSlot>?> ListAsync(IReadOnlyCollection<SlotSnapshot> known, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled<IReadOnlyList<ListedSlot>?>(cancellationToken);
        }

        return Task.FromResult<IReadOnlyList<ListedSlot>?>([.. _slots.Where(s => s.Value.Exists).Select(s => new ListedSlot(s.Key, s.Value.Ticket))]);
    }

    public IReadOnlyList<OutputLine> OutputOf(MetaKey function, int most) => _log.Of(function, most);

    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _disposed = true;
        }

        await _looks.DisposeAsync().ConfigureAwait(false);
        await Task.WhenAll(_slots.Select(s => DestroyAsync(s.Value.Ticket, s.Key, "the scaler is stopping", CancellationToken.None))).ConfigureAwait(false);
        try
        {
            (await _groups.ConfigureAwait(false))?.Remove();
        }
        catch (SlotBackendException)
        {
            // There were none.
        }

        _http.Dispose();
    }

    /// <summary>The process of a slot, for tests; null before it was started.</summary>
    internal SupervisedProcess? ProcessOf(BackendSlotId slot) => _slots.GetValueOrDefault(slot)?.Process;

    private static SlotBackendException Missing(BackendSlotId slot) => new(new SlotFailure(FailureKind.Transient, $"there is no process for slot {slot}"));

    private static BackendSlotId IdOf(SlotTicket ticket) => new($"process-{ticket}");

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private ProcessCommand? CommandOf(FunctionMeta function) =>
        _options.Functions.GetValueOrDefault(function.Key.Value) ?? _options.Runtimes.GetValueOrDefault(function.Runtime);

    /// <summary>Why a function gets no slot now; null when its memory is promised to it.</summary>
    private SlotFailure? Refusal(FunctionMeta function)
    {
        if (CommandOf(function) is null)
        {
            return new SlotFailure(
                FailureKind.Permanent, $"there is no command for function {function.Key}: add it to functions, or its runtime '{function.Runtime}' to runtimes");
        }

        if (_options.MaxMemoryMb > 0 && function.MemoryMb > _options.MaxMemoryMb)
        {
            return new SlotFailure(FailureKind.Permanent, $"function {function.Key} asks for {function.MemoryMb} MB, and all slots together may have {_options.MaxMemoryMb} MB (maxMemoryMb)");
        }

        lock (_gate)
        {
            if (_disposed)
            {
                return new SlotFailure(FailureKind.Permanent, "the scaler is stopping");
            }

            if (_options.MaxMemoryMb > 0 && _promisedMb + function.MemoryMb > _options.MaxMemoryMb)
            {
                return new SlotFailure(FailureKind.Throttled, $"{_promisedMb} of {_options.MaxMemoryMb} MB (maxMemoryMb) are in use");
            }

            _promisedMb += function.MemoryMb;
            return null;
        }
    }

    private async Task<Uri> StartAsync(ProcessSlot slot, InstanceId instance, FunctionMeta function, CancellationToken cancellationToken)
    {
        ControlGroup? unused = null;
        try
        {
            if (Descriptors.Left() is < DescriptorsPerStart)
            {
                throw new SlotBackendException(new SlotFailure(
                    FailureKind.Transient,
                    $"too many open files: {slot.Command.Command[0]} is not started for function {function.Key} while the scaler has hardly any descriptors left (ulimit -n)"));
            }

            var port = FreePort();
            var address = new UriBuilder(Uri.UriSchemeHttp, IPAddress.Loopback.ToString(), port).Uri;
            var limits = await LimitsAsync(slot).ConfigureAwait(false);
            unused = limits.Group;
            var process = SupervisedProcess.Start(slot.Command, EnvironmentOf(slot.Command, instance, function, port), limits, _time, (stream, line) => _log.Add(function.Key, instance, stream, line));
            unused = null;
            slot.Process = process;
            if (slot.Ended)
            {
                throw Missing(IdOf(slot.Ticket));
            }

            await _starter.StartAsync(address, slot.Command.Start, instance, function, slot.Command.Code, _ => StillThereAsync(process, slot.Command, function), cancellationToken)
                .ConfigureAwait(false);
            _ = WatchAsync(slot, process);
            return address;
        }
        catch (Exception e)
        {
            slot.Failed = true;
            slot.Process?.Kill();
            if (unused is not null)
            {
                await unused.RemoveAsync(_time).ConfigureAwait(false);
            }

            if (e is SlotBackendException or OperationCanceledException)
            {
                throw;
            }

            throw new SlotBackendException(
                new SlotFailure(KindOf(e), $"{slot.Command.Command[0]} cannot be started for function {function.Key}: {RemoteWords.Clean(e.Message)}"), e);
        }
    }

    /// <summary>Whether the operating system's refusal may be another one next time: it has no files, processes or memory left, for example.</summary>
    internal static FailureKind KindOf(Exception e) =>
        e is Win32Exception system && ForGood.Contains(system.NativeErrorCode) ? FailureKind.Permanent : FailureKind.Transient;

    private Dictionary<string, string> EnvironmentOf(ProcessCommand command, InstanceId instance, FunctionMeta function, int port)
    {
        var environment = ProcessEnvironment.HandedOn(Environment.GetEnvironmentVariables(), _options.PassEnvironment);
        foreach (var (name, value) in command.Environment)
        {
            environment[name] = value;
        }

        environment["PORT"] = port.ToString(CultureInfo.InvariantCulture);
        environment["FUNCSCALER_FUNCTION"] = function.Key.Value;
        environment["FUNCSCALER_INSTANCE"] = instance.Value;
        environment["FUNCSCALER_MEMORY_MB"] = function.MemoryMb.ToString(CultureInfo.InvariantCulture);
        return environment;
    }

    private async Task<ProcessLimits> LimitsAsync(ProcessSlot slot)
    {
        var limitMb = _options.LimitMemory ? slot.MemoryMb + _options.MemoryHeadroomMb : 0;
        if (await _groups.ConfigureAwait(false) is not { } groups)
        {
            return new ProcessLimits(null, limitMb);
        }

        var name = string.Create(CultureInfo.InvariantCulture, $"slot-{slot.Ticket.Value}-{Interlocked.Increment(ref _lastGroup)}");
        return new ProcessLimits(groups.Make(name, limitMb, _options.MaxProcesses), groups.LimitsMemory ? 0 : limitMb);
    }

    /// <summary>The control groups that instances are put into; null when they are kept together otherwise.</summary>
    private async Task<ControlGroups?> OpenGroupsAsync()
    {
        if (_options.Isolation == ProcessIsolation.Tree)
        {
            return null;
        }

        var name = string.Create(CultureInfo.InvariantCulture, $"funcscaler-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..8]}");
        var (groups, why) = await ControlGroups.OpenAsync(name, CanBeEnteredAsync).ConfigureAwait(false);
        return groups is null && _options.Isolation == ProcessIsolation.Cgroup
            ? throw new SlotBackendException(new SlotFailure(FailureKind.Permanent, $"isolation is cgroup, and there are no control groups to be had: {why}"))
            : groups;
    }

    private static async Task<bool> CanBeEnteredAsync(IReadOnlyList<string> folders)
    {
        const string Enter = "for folder; do echo $$ >\"$folder/cgroup.procs\" || exit 1; done";
        try
        {
            using var trial = System.Diagnostics.Process.Start(new ProcessStartInfo("/bin/sh", ["-c", Enter, "sh", .. folders]) { RedirectStandardError = true })!;
            await trial.WaitForExitAsync().ConfigureAwait(false);
            return trial.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }

    /// <summary>Tells of an instance that ends by itself, at once.</summary>
    private async Task WatchAsync(ProcessSlot slot, SupervisedProcess process)
    {
        await process.Ended.ConfigureAwait(false);
        await slot.Gate.WaitAsync().ConfigureAwait(false);
        try
        {
            if (slot.Ended || slot.Instance is null)
            {
                // It was ended; or its start has failed, and who asked for that was told.
                return;
            }

            slot.Ended = true;
            slot.Process = null;
            await process.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            slot.Gate.Release();
        }

        if (Forget(IdOf(slot.Ticket), slot))
        {
            SlotLost?.Invoke(new LostSlot(slot.Ticket, IdOf(slot.Ticket), $"its process ended with {process.Story}"));
        }
    }

    /// <summary>Takes a slot off the list and gives its memory back.</summary>
    /// <returns>False when somebody else has.</returns>
    private bool Forget(BackendSlotId id, ProcessSlot slot)
    {
        if (!_slots.TryRemove(KeyValuePair.Create(id, slot)))
        {
            return false;
        }

        lock (_gate)
        {
            _promisedMb -= slot.MemoryMb;
        }

        return true;
    }

    private void Look()
    {
        var processes = _slots.Values.Select(s => s.Process).OfType<SupervisedProcess>().Where(p => p.NeedsLooks).ToList();
        if (processes.Count == 0)
        {
            return;
        }

        try
        {
            var table = ProcessTable.Read();
            foreach (var process in processes)
            {
                process.Look(table);
            }
        }
        catch (IOException)
        {
            // No more files to open; the next look may have some.
        }
    }

    private static async Task StillThereAsync(SupervisedProcess process, ProcessCommand command, FunctionMeta function)
    {
        if (!process.HasExited)
        {
            return;
        }

        await process.Ended.ConfigureAwait(false);
        var hint = process.ExitCode == 0 ? "; a function must keep running and answer HTTP on the port in PORT" : "";
        var isProgramWrong = process.ExitCode == NotFound || (process.ExitCode == CannotRun && !IsExecutable(command.Command[0]));
        throw new SlotBackendException(new SlotFailure(
            isProgramWrong ? FailureKind.Permanent : FailureKind.Transient,
            $"the process of function {function.Key} ended before it was ready, with {process.Story}{hint}"));
    }

    /// <summary>Whether a program can be run as far as its file tells: then it was for want of memory, for example, that it was not.</summary>
    private static bool IsExecutable(string program)
    {
        const UnixFileMode Execute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        return !OperatingSystem.IsWindows() && File.Exists(program) && (File.GetUnixFileMode(program) & Execute) != 0;
    }
}
