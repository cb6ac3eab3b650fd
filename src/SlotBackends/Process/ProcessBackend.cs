using System.Collections.Concurrent;
using System.ComponentModel;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using FuncScaler.SlotBackends.Http;

namespace FuncScaler.SlotBackends.Process;

/// <summary>
/// Slots that are processes on this machine: creating one reserves its memory, initialising it starts the configured command and waits until
/// it answers. None outlives the scaler.
/// </summary>
public sealed class ProcessBackend : ISlotBackend
{
    // What a shell ends with when there is no such program, or none that it may run.
    private const int NotFound = 127;
    private const int CannotRun = 126;

    private readonly ProcessOptions _options;
    private readonly TimeProvider _time;
    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler { UseProxy = false });
    private readonly InstanceStarter _starter;
    private readonly ConcurrentDictionary<BackendSlotId, ProcessSlot> _slots = new();
    private readonly Lock _gate = new();
    private long _promisedMb;
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
        _starter = new InstanceStarter(_http, time);
    }

    public string Name => "process";

    public Task<BackendSlotId> CreateAsync(SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled<BackendSlotId>(cancellationToken);
        }

        var id = new BackendSlotId($"process-{ticket}");
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
        var id = slot == default ? new BackendSlotId($"process-{ticket}") : slot;
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
                await process.StopAsync(_options.StopTimeout, _time, cancellationToken).ConfigureAwait(false);
                process.Dispose();
                reserved.Process = null;
            }
        }
        finally
        {
            reserved.Gate.Release();
        }

        if (!_slots.TryRemove(id, out _))
        {
            return false;
        }

        lock (_gate)
        {
            _promisedMb -= reserved.MemoryMb;
        }

        return true;
    }

    public Task<IReadOnlyList<ListedSlot>?> ListAsync(IReadOnlyCollection<SlotSnapshot> known, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled<IReadOnlyList<ListedSlot>?>(cancellationToken);
        }

        return Task.FromResult<IReadOnlyList<ListedSlot>?>([.. _slots.Where(s => s.Value.Exists).Select(s => new ListedSlot(s.Key, s.Value.Ticket))]);
    }

    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _disposed = true;
        }

        await Task.WhenAll(_slots.Select(s => DestroyAsync(s.Value.Ticket, s.Key, "the scaler is stopping", CancellationToken.None))).ConfigureAwait(false);
        _http.Dispose();
    }

    /// <summary>The process of a slot, for tests; null before it was started.</summary>
    internal SupervisedProcess? ProcessOf(BackendSlotId slot) => _slots.GetValueOrDefault(slot)?.Process;

    private static SlotBackendException Missing(BackendSlotId slot) => new(new SlotFailure(FailureKind.Transient, $"there is no process for slot {slot}"));

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
        var port = FreePort();
        var environment = new Dictionary<string, string>(slot.Command.Environment)
        {
            ["PORT"] = port.ToString(CultureInfo.InvariantCulture),
            ["FUNCSCALER_FUNCTION"] = function.Key.Value,
            ["FUNCSCALER_INSTANCE"] = instance.Value,
            ["FUNCSCALER_MEMORY_MB"] = function.MemoryMb.ToString(CultureInfo.InvariantCulture),
        };
        var address = new UriBuilder(Uri.UriSchemeHttp, IPAddress.Loopback.ToString(), port).Uri;
        try
        {
            slot.Process = SupervisedProcess.Start(slot.Command, environment, _options.LimitMemory ? slot.MemoryMb + _options.MemoryHeadroomMb : 0);
            if (slot.Ended)
            {
                throw Missing(new BackendSlotId($"process-{slot.Ticket}"));
            }

            await _starter.StartAsync(address, slot.Command.Start, instance, function, slot.Command.Code, _ => StillThere(slot, function), cancellationToken)
                .ConfigureAwait(false);
            return address;
        }
        catch (Win32Exception e)
        {
            throw new SlotBackendException(new SlotFailure(FailureKind.Permanent, $"{slot.Command.Command[0]} cannot be started for function {function.Key}: {e.Message}"), e);
        }
        catch
        {
            slot.Process?.Kill();
            throw;
        }
    }

    private static Task StillThere(ProcessSlot slot, FunctionMeta function) => slot.Process is not { HasExited: true } process
        ? Task.CompletedTask
        : Task.FromException(new SlotBackendException(new SlotFailure(
            process.ExitCode is CannotRun or NotFound ? FailureKind.Permanent : FailureKind.Transient,
            $"the process of function {function.Key} ended with {process.ExitCode} before it was ready: {process.LastLines}")));
}
