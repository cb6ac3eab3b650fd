using Azure;
using Azure.Identity;
using Microsoft.Extensions.Logging;

namespace FuncScaler.SlotBackends.Aci;

/// <content>How the platform is called: what is tried again, followed to its end, and looked up before it is believed.</content>
public sealed partial class AciBackend
{
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
            LogFull(place.Region, RemoteWords.Clean(e.ErrorCode ?? "", 100));
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

        return group switch
        {
            { IsGoing: true } => throw new SlotBackendException(new SlotFailure(FailureKind.Transient, $"container group {slot} is {group.ProvisioningState}")),
            { Ended: { } how } => throw new SlotBackendException(new SlotFailure(
                FailureKind.Transient, $"container group {slot}: {how} before it was ready; a function must keep running and answer HTTP on port {_options.Port}")),
            _ => group,
        };
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
            _deleted[slot] = _time.GetTimestamp();
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

    /// <summary>
    /// The instances whose container has ended although their group stands as it was. Azure tells that of single groups only, not in its
    /// list, so a list looks at so many of them, those that wait for requests first, and goes on there the next time.
    /// </summary>
    private async Task<HashSet<BackendSlotId>> EndedAsync(IReadOnlyCollection<SlotSnapshot> known, HashSet<BackendSlotId> there, CancellationToken cancellationToken)
    {
        var ready = known.Where(s => s.State is SlotState.Idle or SlotState.Busy && there.Contains(s.BackendId))
            .OrderBy(s => _looked.GetValueOrDefault(s.BackendId))
            .ThenBy(s => s.State == SlotState.Idle ? 0 : 1)
            .ThenBy(s => s.BackendId.Value, StringComparer.Ordinal)
            .Take(LooksPerList)
            .Select(s => s.BackendId)
            .ToList();
        var round = ++_lists;
        var ended = new HashSet<BackendSlotId>();
        foreach (var batch in ready.Chunk(LookUpsAtOnce))
        {
            var looks = await Task.WhenAll(batch.Select(id => LookAsync(id, cancellationToken))).ConfigureAwait(false);
            for (var i = 0; i < batch.Length; i++)
            {
                _looked[batch[i]] = round;
                if (looks[i]?.Ended is { } how)
                {
                    ended.Add(batch[i]);
                    LogEnded(batch[i].Value, how);
                }
            }
        }

        foreach (var gone in _looked.Keys.Where(id => !there.Contains(id)))
        {
            _looked.TryRemove(gone, out _);
        }

        return ended;
    }

    /// <summary>A group that is known to be there; null also when it cannot be looked at, as that says nothing against it.</summary>
    private async Task<ContainerGroupInfo?> LookAsync(BackendSlotId slot, CancellationToken cancellationToken)
    {
        try
        {
            return AciNames.Parse(_options.Places, slot) is { } found
                ? await _groups.GetAsync(found.Place, found.Name, cancellationToken).ConfigureAwait(false)
                : null;
        }
        catch (RequestFailedException)
        {
            return null;
        }
    }

    private ListedSlot Describe(BackendSlotId slot, ContainerGroupInfo group)
    {
        var place = AciNames.Parse(_options.Places, slot)!.Value.Place;
        _budget.Found(slot, place, group.Cores);

        // What is broken, has ended or is going is nothing to adopt; naming no function has it deleted.
        var usable = !group.IsGoing && group.Ended is null;
        return new ListedSlot(slot, AciTags.TicketOf(group.Tags, _names.Run), usable ? AciTags.FunctionOf(group.Tags) : null);
    }

    [LoggerMessage(150, LogLevel.Information, "Deleting container group {Group}: {Reason}")]
    private partial void LogDeleting(string group, string reason);

    [LoggerMessage(152, LogLevel.Warning, "Container group {Group} is lost: {How}")]
    private partial void LogEnded(string group, string how);

    [LoggerMessage(151, LogLevel.Warning, "Region {Region} has no room ({Code}); it is passed over for a while")]
    private partial void LogFull(string region, string code);
}
