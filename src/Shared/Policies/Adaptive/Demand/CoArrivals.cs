namespace FuncScaler.Policies.Adaptive.Demand;

/// <summary>
/// Finds functions whose arrivals foretell another's, online and in bounded memory: of the onsets (first arrivals after a pause) of the last
/// second each is a possible leader of the next onset; every function remembers its best few. After Defuse (Shen et al., "Defuse: a
/// dependency-guided function scheduler to mitigate cold starts on FaaS platforms", ICDCS 2021), on onsets instead of whole invocation logs.
/// </summary>
internal sealed class CoArrivals
{
    private const int Remembered = 16;

    /// <summary>How long after its leader a follower may come, µs.</summary>
    private const long WindowUs = 1_000_000;

    private readonly (AdaptivePolicy Policy, long AtUs)[] _onsets = new (AdaptivePolicy, long)[Remembered];
    private int _count;

    /// <summary>A function's first arrival after a pause: credits those that came just before, and tells those that follow it.</summary>
    public void Onset(AdaptivePolicy policy, long nowUs)
    {
        for (var i = 0; i < Math.Min(_count, Remembered); i++)
        {
            var (leader, atUs) = _onsets[(_count - 1 - i) % Remembered];
            if (nowUs - atUs > WindowUs)
            {
                break;
            }

            if (leader != policy)
            {
                policy.Leaders.Followed(leader, nowUs - atUs);
                leader.Leaders.AddFollower(policy);
            }
        }

        _onsets[_count++ % Remembered] = (policy, nowUs);
        policy.Leaders.Tell(policy, nowUs);
    }

    /// <summary>One function's leaders, and who follows it.</summary>
    internal sealed class Links
    {
        private const int MaxLinks = 4;
        private const float Weight = 0.1f;

        private readonly Leader[] _leaders = new Leader[MaxLinks];
        private readonly AdaptivePolicy?[] _followers = new AdaptivePolicy?[MaxLinks];
        private int _nextFollower;

        /// <summary>When a leader last came that foretells an onset, µs.</summary>
        public long ToldUs { get; private set; } = long.MinValue;

        /// <summary>How likely the onset then is, 0 to 1.</summary>
        public double Likelihood { get; private set; }

        /// <summary>How long after the leader it is expected, µs.</summary>
        public double LeadUs { get; private set; }

        /// <summary>The leaders that are remembered.</summary>
        public IEnumerable<(AdaptivePolicy Leader, double LeadUs, double Likelihood)> Known =>
            from link in _leaders where link.Policy is not null select (link.Policy!, (double)link.LeadUs, (double)link.Likelihood);

        public void AddFollower(AdaptivePolicy follower)
        {
            if (!_followers.Contains(follower))
            {
                _followers[_nextFollower++ % MaxLinks] = follower;
            }
        }

        /// <summary>This function's onset came so long after another's.</summary>
        public void Followed(AdaptivePolicy leader, long afterUs)
        {
            var at = 0;
            for (var i = 0; i < MaxLinks; i++)
            {
                if (_leaders[i].Policy == leader)
                {
                    at = i;
                    break;
                }

                // The least reliable makes room for what has just been seen.
                at = _leaders[i].Likelihood < _leaders[at].Likelihood ? i : at;
            }

            ref var link = ref _leaders[at];
            if (link.Policy != leader)
            {
                link = new Leader { Policy = leader, LeadUs = afterUs, Likelihood = Weight };
                return;
            }

            // Telling has already counted it as missed.
            link.Likelihood = Math.Min(1, link.Likelihood + (link.Open ? Weight : 0));
            link.LeadUs += 0.2f * (afterUs - link.LeadUs);
            link.Open = false;
        }

        public void Tell(AdaptivePolicy leader, long nowUs)
        {
            foreach (var follower in _followers)
            {
                follower?.Leaders.LeaderCame(leader, follower, nowUs);
            }
        }

        private void LeaderCame(AdaptivePolicy leader, AdaptivePolicy self, long nowUs)
        {
            for (var i = 0; i < MaxLinks; i++)
            {
                ref var link = ref _leaders[i];
                if (link.Policy != leader || self.IsActive)
                {
                    continue;
                }

                if (link.Likelihood > 0.3)
                {
                    ToldUs = nowUs;
                    Likelihood = link.Likelihood;
                    LeadUs = link.LeadUs;
                    self.AskForReview();
                }

                link.Likelihood -= Weight * link.Likelihood;
                link.Open = true;
            }
        }

        private struct Leader
        {
            public AdaptivePolicy? Policy;
            public float LeadUs;
            public float Likelihood;
            public bool Open;
        }
    }
}
