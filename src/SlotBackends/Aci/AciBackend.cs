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

    /// <summary>How many instances one list looks at by name, beside those that it is in doubt about: as many as a region's groups by default.</summary>
    private const int LooksPerList = 100;

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

    /// <summary>Groups that were deleted, and when: a list that was under way then may still have them.</summary>
    private readonly ConcurrentDictionary<BackendSlotId, long> _deleted = new();

    private readonly ConcurrentDictionary<BackendSlotId, long> _looked = new();
    private long _lists;

    /// <param name="connection">How Azure is reached.</param>
    /// <param name="options">Settings, checked before.</param>
    /// <param name="time">The clock of polls, retries and budgets.</param>
    /// <param name="logger">For what operators should know.</param>
    public AciBackend(ArmConnection connection, AciOptions options, TimeProvider time, ILogger<AciBackend>? logger = null)
        : this(connection.Open(options), options, time, logger)
    {
    }

    internal AciBackend(IContainerGroups groups, AciOptions options, TimeProvider time, ILogger<AciBackend>? logger = null, HttpMessageInvoker? instances = null)
    {
        if (AciOptionsValidation.Check(options) is { Count: > 0 } errors)
        {
            throw new ArgumentException(string.Join(" ", errors), nameof(options));
        }

        _groups = groups;
        _options = options;
        _names = new AciNames(options.Owner, options.Run ?? AciNames.NewRun());
        _budget = new AciBudget(options, _names, time);
        _time = time;
        _logger = logger ?? NullLogger<AciBackend>.Instance;
        _http = instances ?? InstanceHttp.Make();
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
        var began = _time.GetTimestamp();
        try
        {
            var listed = await Task.WhenAll(_options.Places.Select(place => ListPlaceAsync(place, cancellationToken))).ConfigureAwait(false);
            var groups = listed.SelectMany(l => l).ToDictionary(g => g.Slot, g => g.Group);
            var knownIds = known.Where(s => s.BackendId != default).Select(s => s.BackendId).ToHashSet();
            var doubtful = knownIds.Where(id => !groups.ContainsKey(id)).Concat(groups.Keys.Where(id => !knownIds.Contains(id) || _deleted.ContainsKey(id))).ToList();
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

            // An instance that has ended is none any more; its group is deleted as nobody's when the next list shows it.
            var ended = await EndedAsync(known, groups.Keys.ToHashSet(), cancellationToken).ConfigureAwait(false);

            // What was deleted before and is there by name was created by a call that came late: it is listed.
            foreach (var before in _deleted.Where(d => d.Value < began))
            {
                _deleted.TryRemove(before);
            }

            return [.. groups.Where(g => !_deleted.ContainsKey(g.Key) && !ended.Contains(g.Key)).Select(g => Describe(g.Key, g.Value))];
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
        new SlotFailure(FailureKind.Transient, $"signing in to Azure failed: {RemoteWords.Clean(e.Message.Split('\n')[0])}"), e)
    {
        PlatformUnreachable = true,
    };
}
