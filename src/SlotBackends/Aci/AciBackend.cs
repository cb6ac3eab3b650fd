using System.Collections.Concurrent;
using Azure;
using Azure.Identity;
using FuncScaler.SlotBackends.Budget;
using FuncScaler.SlotBackends.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Polly;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>Slots that are container groups in Azure Container Instances.</summary>
/// <remarks>
/// Creating is a PUT by a name that only this ticket has, so it may be repeated; a lost answer, a stuck or a failed provisioning ends in a
/// deletion by the same name. The tags are the inventory: what carries the owner's tag is ours, and nothing else is ever touched. The
/// platform's list may lag, so whatever it adds to or misses from what the scaler knows is looked up by name before it is believed.
/// </remarks>
public sealed partial class AciBackend : ISlotBackend
{
    private const int LookUpsAtOnce = 8;
    private static readonly TimeSpan LongestPoll = TimeSpan.FromSeconds(5);

    private readonly IContainerGroups _groups;
    private readonly AciOptions _options;
    private readonly AciNames _names;
    private readonly AciBudget _budget;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly HttpMessageInvoker _http;
    private readonly InstanceStarter _starter;
    private readonly ResiliencePipeline _retries;
    private readonly ConcurrentDictionary<BackendSlotId, InstanceId> _instances = new();
    private readonly ConcurrentDictionary<BackendSlotId, byte> _deleted = new();

    /// <param name="connection">How Azure is reached.</param>
    /// <param name="options">Settings, checked before.</param>
    /// <param name="time">The clock of polls, retries and budgets.</param>
    /// <param name="logger">For what operators should know.</param>
    public AciBackend(ArmConnection connection, AciOptions options, TimeProvider time, ILogger<AciBackend>? logger = null)
        : this(connection.Open(options), options, time, logger)
    {
    }

    internal AciBackend(IContainerGroups groups, AciOptions options, TimeProvider time, ILogger<AciBackend>? logger = null)
    {
        if (AciOptionsValidation.Check(options) is { Count: > 0 } errors)
        {
            throw new ArgumentException(string.Join(" ", errors), nameof(options));
        }

        _groups = groups;
        _options = options;
        _names = new AciNames(options.Owner, AciNames.NewRun());
        _budget = new AciBudget(options, _names, time);
        _time = time;
        _logger = logger ?? NullLogger<AciBackend>.Instance;
        _http = new HttpMessageInvoker(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(2), UseProxy = false });
        _starter = new InstanceStarter(_http, time);
        _retries = Retries.Make<RequestFailedException>(
            time,
            options.MaxRetries,
            options.RetryDelay,
            options.Randomizer,
            e => ArmAnswers.IsPassing(e) && !ArmAnswers.IsFull(e),
            e => ArmAnswers.RetryAfter(e.GetRawResponse()));
    }

    public string Name => "aci";

    public ICallBudget Budget => _budget;

    /// <summary>What stands in the names and tags of this run's groups.</summary>
    public string Run => _names.Run;

    public async Task<BackendSlotId> CreateAsync(SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var size = AciSize.Of(_options, function);
        var image = ImageOf(function);
        if (!_budget.TryTakeCreate(ticket, function, out var wait))
        {
            throw new SlotBackendException(new SlotFailure(
                FailureKind.Throttled, "the budget of creations is used up", (long)wait.TotalMicroseconds));
        }

        var place = _budget.PlaceOf(ticket)!;
        var name = _names.NameOf(ticket);
        var slot = AciNames.IdOf(place, name);
        var spec = new ContainerGroupSpec(_options, place, name, image, size, EnvironmentOf(function), AciTags.Of(_options, _names.Run, ticket, function, _time.GetUtcNow()));
        var begun = false;
        try
        {
            var operation = await _retries.ExecuteAsync(
                async token =>
                {
                    begun = true;
                    return await PutAsync(spec, token).ConfigureAwait(false);
                },
                cancellationToken).ConfigureAwait(false);
            await CompleteAsync(operation, new StateOperation(_groups, place, name, deletes: false), _options.ProvisionTimeout, $"creating {slot}", cancellationToken).ConfigureAwait(false);
            return slot;
        }
        catch (RequestFailedException e)
        {
            throw CreateFailed(ticket, place, slot, e, begun);
        }
        catch (AuthenticationFailedException e)
        {
            _budget.Gone(ticket, slot);
            throw NotSignedIn(e);
        }
    }

    public async Task<Uri?> InitAsync(BackendSlotId slot, InstanceId instance, FunctionMeta function, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (AciNames.Parse(_options.Places, slot) is not { } place)
        {
            throw Missing(slot);
        }

        if (_instances.GetOrAdd(slot, instance) is var other && other != instance)
        {
            throw new SlotBackendException(new SlotFailure(FailureKind.Permanent, $"container group {slot} is already allocated to instance {other}"));
        }

        try
        {
            var group = await ReadyAsync(place.Place, place.Name, slot, cancellationToken).ConfigureAwait(false);
            if (_options.Spot)
            {
                return null;
            }

            var address = new UriBuilder(Uri.UriSchemeHttp, group.Address!, _options.Port).Uri;
            await _starter.StartAsync(
                address,
                _options.Start,
                instance,
                function,
                _options.Functions.GetValueOrDefault(function.Key.Value) ?? new FunctionCode(),
                token => OwnAsync(place.Place, place.Name, slot, token),
                cancellationToken).ConfigureAwait(false);
            return address;
        }
        catch (Exception e) when (e is SlotBackendException or RequestFailedException or AuthenticationFailedException)
        {
            // Another try, with another instance id, must find the group unspoken for.
            _instances.TryRemove(slot, out _);
            throw e switch
            {
                RequestFailedException failed => ArmAnswers.Translate($"looking at {slot}", failed, begun: false),
                AuthenticationFailedException failed => NotSignedIn(failed),
                _ => e,
            };
        }
    }

    public async Task<bool> DestroyAsync(SlotTicket ticket, BackendSlotId slot, string reason, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        List<(AciPlace Place, string Name)> candidates = [];
        if (slot != default)
        {
            if (AciNames.Parse(_options.Places, slot) is { } found)
            {
                candidates.Add(found);
            }
        }
        else
        {
            // Half-created, or not at all: its name follows from the ticket, and where it would be from what was reserved.
            var name = _names.NameOf(ticket);
            candidates.AddRange((_budget.PlaceOf(ticket) is { } reserved ? [reserved] : _options.Places).Select(p => (p, name)));
        }

        var known = false;
        foreach (var (place, name) in candidates)
        {
            known |= await DeleteAsync(place, name, reason, cancellationToken).ConfigureAwait(false);
        }

        _budget.Gone(ticket, slot);
        return known;
    }

    public async Task<IReadOnlyList<ListedSlot>?> ListAsync(IReadOnlyCollection<SlotSnapshot> known, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            var listed = await Task.WhenAll(_options.Places.Select(place => ListPlaceAsync(place, cancellationToken))).ConfigureAwait(false);
            var groups = listed.SelectMany(l => l).ToDictionary(g => g.Slot, g => g.Group);
            var knownIds = known.Where(s => s.BackendId != default).Select(s => s.BackendId).ToHashSet();
            var doubtful = knownIds.Where(id => !groups.ContainsKey(id)).Concat(groups.Keys.Where(id => !knownIds.Contains(id))).ToList();
            foreach (var batch in doubtful.Chunk(LookUpsAtOnce))
            {
                var looks = await Task.WhenAll(batch.Select(id => GetAsync(id, cancellationToken))).ConfigureAwait(false);
                for (var i = 0; i < batch.Length; i++)
                {
                    groups.Remove(batch[i]);
                    if (looks[i] is { } group)
                    {
                        groups.Add(batch[i], group);
                    }
                }
            }

            // What is seen deleted by name needs no memory of it any more.
            foreach (var gone in _deleted.Keys.Where(id => !groups.ContainsKey(id)))
            {
                _deleted.TryRemove(gone, out _);
            }

            return [.. groups.Where(g => !_deleted.ContainsKey(g.Key)).Select(g => Describe(g.Key, g.Value))];
        }
        catch (RequestFailedException e)
        {
            throw ArmAnswers.Translate("listing container groups", e, begun: false);
        }
        catch (AuthenticationFailedException e)
        {
            throw NotSignedIn(e);
        }
    }

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    private static SlotBackendException Missing(BackendSlotId slot) =>
        new(new SlotFailure(FailureKind.Transient, $"there is no container group {slot}"));

    private static SlotBackendException NotSignedIn(AuthenticationFailedException e) => new(
        new SlotFailure(FailureKind.Transient, $"signing in to Azure failed: {e.Message.Split('\n')[0].Trim()}"), e)
    {
        PlatformUnreachable = true,
    };

    private string ImageOf(FunctionMeta function)
    {
        if (_options.Images.TryGetValue(function.Runtime, out var image) || _options.Images.TryGetValue("*", out image))
        {
            return image;
        }

        return AciOptionsValidation.HasStandbyPool(_options)
            ? ""
            : throw new SlotBackendException(new SlotFailure(
                FailureKind.Permanent,
                $"there is no image for runtime '{function.Runtime}' of function {function.Key}: add it to images, or one for '*'"));
    }

    private Dictionary<string, string> EnvironmentOf(FunctionMeta function) => new(_options.Environment)
    {
        ["FUNCSCALER_FUNCTION"] = function.Key.Value,
        ["FUNCSCALER_MEMORY_MB"] = function.MemoryMb.ToString(System.Globalization.CultureInfo.InvariantCulture),
        ["PORT"] = _options.Port.ToString(System.Globalization.CultureInfo.InvariantCulture),
    };

    /// <summary>PUT; a conflict with our own earlier PUT, whose answer was lost, ends in its operation.</summary>
    private async Task<IGroupOperation> PutAsync(ContainerGroupSpec spec, CancellationToken cancellationToken)
    {
        try
        {
            return await _groups.PutAsync(spec, cancellationToken).ConfigureAwait(false);
        }
        catch (RequestFailedException e) when (ArmAnswers.IsChanging(e))
        {
            var group = await _groups.GetAsync(spec.Place, spec.Name, cancellationToken).ConfigureAwait(false);
            if (group is null || group.IsGoing || AciTags.TicketOf(group.Tags, _names.Run) == default)
            {
                throw;
            }

            return new StateOperation(_groups, spec.Place, spec.Name, deletes: false);
        }
    }

    private SlotBackendException CreateFailed(SlotTicket ticket, AciPlace place, BackendSlotId slot, RequestFailedException e, bool begun)
    {
        // A long-running operation that failed is told of by a 200.
        var accepted = begun && e.Status == 200;
        if (ArmAnswers.IsThrottled(e))
        {
            _budget.CreatesThrottled(place, ArmAnswers.RetryAfter(e.GetRawResponse()));
        }
        else if (ArmAnswers.IsFull(e))
        {
            _budget.Full(place);
            LogFull(place.Region, e.ErrorCode ?? "");
        }

        var translated = ArmAnswers.Translate($"creating {slot}", e, begun: accepted);
        if (!translated.Failure.OutcomeUnknown)
        {
            _budget.Gone(ticket, slot);
        }

        return translated;
    }

    /// <summary>Follows an operation to its end.</summary>
    /// <param name="operation">The operation.</param>
    /// <param name="byState">
    /// The same by the group's own state: the SDK takes an operation that could not be looked at for ended, so it is not asked again.
    /// </param>
    /// <param name="timeout">How long it may take.</param>
    /// <param name="what">For the message.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    private async Task CompleteAsync(
        IGroupOperation operation, StateOperation byState, TimeSpan timeout, string what, CancellationToken cancellationToken)
    {
        var began = _time.GetTimestamp();
        var delay = _options.PollDelay;
        while (!operation.HasCompleted)
        {
            if (_time.GetElapsedTime(began) >= timeout)
            {
                throw new SlotBackendException(new SlotFailure(
                    FailureKind.Transient, $"{what} has not ended after {timeout.TotalSeconds:0.#} s", OutcomeUnknown: true));
            }

            var wait = operation.RetryAfter > delay ? operation.RetryAfter : delay;
            await Task.Delay(wait, _time, cancellationToken).ConfigureAwait(false);
            delay = delay * 1.5 < LongestPoll ? delay * 1.5 : LongestPoll > delay ? LongestPoll : delay;
            try
            {
                await operation.UpdateAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (RequestFailedException e) when (ArmAnswers.IsThrottled(e) || ArmAnswers.IsPassing(e))
            {
                // The operation goes on without being looked at.
                operation = byState;
                await Task.Delay(ArmAnswers.RetryAfter(e.GetRawResponse()) ?? TimeSpan.Zero, _time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Waits until the group runs and has an address.</summary>
    private async Task<ContainerGroupInfo> ReadyAsync(AciPlace place, string name, BackendSlotId slot, CancellationToken cancellationToken)
    {
        var began = _time.GetTimestamp();
        while (true)
        {
            var group = await OwnAsync(place, name, slot, cancellationToken).ConfigureAwait(false);
            if (group.IsReady && (group.Address is not null || _options.Spot))
            {
                return group;
            }

            if (_time.GetElapsedTime(began) >= _options.ProvisionTimeout)
            {
                throw new SlotBackendException(new SlotFailure(
                    FailureKind.Transient, $"container group {slot} is {group.ProvisioningState}{(group.Address is null ? " without an address" : "")} after {_options.ProvisionTimeout.TotalSeconds:0.#} s"));
            }

            await Task.Delay(_options.PollDelay, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<ContainerGroupInfo> OwnAsync(AciPlace place, string name, BackendSlotId slot, CancellationToken cancellationToken)
    {
        var group = await _retries.ExecuteAsync(async token => await _groups.GetAsync(place, name, token).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        if (group is null || !AciTags.IsOf(group.Tags, _options.Owner))
        {
            throw Missing(slot);
        }

        return group.IsGoing
            ? throw new SlotBackendException(new SlotFailure(FailureKind.Transient, $"container group {slot} is {group.ProvisioningState}"))
            : group;
    }

    private async Task<bool> DeleteAsync(AciPlace place, string name, string reason, CancellationToken cancellationToken)
    {
        var slot = AciNames.IdOf(place, name);
        try
        {
            if (!_names.IsOfThisRun(name))
            {
                var group = await _retries.ExecuteAsync(async token => await _groups.GetAsync(place, name, token).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
                if (group is null || !AciTags.IsOf(group.Tags, _options.Owner))
                {
                    return false;
                }
            }

            LogDeleting(slot.Value, reason);
            var operation = await _retries.ExecuteAsync(async token => await _groups.DeleteAsync(place, name, token).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
            if (operation is not null)
            {
                await CompleteAsync(operation, new StateOperation(_groups, place, name, deletes: true), _options.DeleteTimeout, $"deleting {slot}", cancellationToken).ConfigureAwait(false);
            }

            _instances.TryRemove(slot, out _);
            _deleted[slot] = 0;
            return operation is not null;
        }
        catch (RequestFailedException e)
        {
            if (ArmAnswers.IsThrottled(e))
            {
                _budget.DeletesThrottled(place, ArmAnswers.RetryAfter(e.GetRawResponse()));
            }

            throw ArmAnswers.Translate($"deleting {slot}", e, begun: false);
        }
        catch (AuthenticationFailedException e)
        {
            throw NotSignedIn(e);
        }
    }

    private async Task<IEnumerable<(BackendSlotId Slot, ContainerGroupInfo Group)>> ListPlaceAsync(AciPlace place, CancellationToken cancellationToken)
    {
        var groups = await _retries.ExecuteAsync(async token => await _groups.ListAsync(place, token).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        return groups.Where(g => AciTags.IsOf(g.Tags, _options.Owner)).Select(g => (AciNames.IdOf(place, g.Name), g)).ToList();
    }

    private async Task<ContainerGroupInfo?> GetAsync(BackendSlotId slot, CancellationToken cancellationToken)
    {
        if (AciNames.Parse(_options.Places, slot) is not { } found)
        {
            return null;
        }

        var group = await _retries.ExecuteAsync(async token => await _groups.GetAsync(found.Place, found.Name, token).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        return group is not null && AciTags.IsOf(group.Tags, _options.Owner) ? group : null;
    }

    private ListedSlot Describe(BackendSlotId slot, ContainerGroupInfo group)
    {
        var place = AciNames.Parse(_options.Places, slot)!.Value.Place;
        _budget.Found(slot, place, group.Cores);

        // What is broken or going is nothing to adopt; naming no function has it deleted.
        return new ListedSlot(slot, AciTags.TicketOf(group.Tags, _names.Run), group.IsGoing ? null : AciTags.FunctionOf(group.Tags));
    }

    [LoggerMessage(200, LogLevel.Information, "Deleting container group {Group}: {Reason}")]
    private partial void LogDeleting(string group, string reason);

    [LoggerMessage(201, LogLevel.Warning, "Region {Region} has no room ({Code}); it is passed over for a while")]
    private partial void LogFull(string region, string code);

    /// <summary>An operation whose handle was lost: the group's own state tells how far it is.</summary>
    private sealed class StateOperation(IContainerGroups groups, AciPlace place, string name, bool deletes) : IGroupOperation
    {
        public bool HasCompleted { get; private set; }

        public TimeSpan RetryAfter => TimeSpan.Zero;

        public async Task UpdateAsync(CancellationToken cancellationToken)
        {
            var group = await groups.GetAsync(place, name, cancellationToken).ConfigureAwait(false);
            HasCompleted = group is null || (!deletes && (group.IsReady || group.IsGoing));
            if (HasCompleted && !deletes && group?.IsReady != true)
            {
                throw new SlotBackendException(new SlotFailure(
                    FailureKind.Transient, $"container group {name} is {group?.ProvisioningState ?? "gone"}", OutcomeUnknown: true));
            }
        }
    }
}
