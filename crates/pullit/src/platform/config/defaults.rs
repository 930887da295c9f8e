//! The embedded defaults: a whole service on one machine, without a file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{
    AuthConfig, BrokerConfig, Config, DATABASE_BROKER, DatabaseConfig, GeneratorConfig,
    GeneratorKind, HttpConfig, LearnStatsConfig, LogConfig, NotificationConfig, OutboxConfig,
    PoolerKind, QuestionSetConfig, QuotasConfig, RetentionConfig, SourceConfig, Span,
    StorageConfig, UploadConfig, WorkerConfig,
};

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            data_dir: PathBuf::from("./pullit-data"),
            zone: chrono_tz::Asia::Seoul,
            node_id: String::new(),
            database: DatabaseConfig::default(),
            storage: StorageConfig::default(),
            broker: BrokerConfig::default(),
            generator: GeneratorConfig::default(),
            auth: AuthConfig::default(),
            http: HttpConfig::default(),
            quotas: QuotasConfig::default(),
            upload: UploadConfig::default(),
            worker: WorkerConfig::default(),
            question_set: QuestionSetConfig::default(),
            source: SourceConfig::default(),
            learn_stats: LearnStatsConfig::default(),
            outbox: OutboxConfig::default(),
            notification: NotificationConfig::default(),
            retention: RetentionConfig::default(),
            log: LogConfig::default(),
            jobs: BTreeMap::new(),
            outdated: Vec::new(),
        }
    }
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            max_connections: 10,
            pooler: PoolerKind::None,
            listen_url: String::new(),
        }
    }
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            endpoint: String::new(),
            region: String::new(),
            path_style: None,
            access_key: String::new(),
            secret_key: String::new(),
            bulk_delete: true,
            chain: BTreeMap::new(),
        }
    }
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            url: DATABASE_BROKER.to_owned(),
            prefix: "pullit".to_owned(),
        }
    }
}

impl Default for GeneratorConfig {
    fn default() -> Self {
        Self {
            kind: GeneratorKind::Offline,
            url: String::new(),
            key: String::new(),
            model: String::new(),
            allow_http: false,
            requests_per_minute: 60,
            timeout: Span::minutes(5),
            max_chars: 200_000,
            max_output_tokens: 32_768,
        }
    }
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            dev_login: true,
            jwt_secret: String::new(),
            access_ttl: Span::minutes(15),
            refresh_ttl: Span::days(14),
            refresh_grace: Span::seconds(10),
            session_ttl: Span::days(90),
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            public_url: String::new(),
            cors_origins: vec![
                "http://localhost:5173".to_owned(),
                "http://127.0.0.1:5173".to_owned(),
            ],
            request_timeout: Span::seconds(30),
            probes: String::new(),
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for QuotasConfig {
    fn default() -> Self {
        Self {
            sign_ins_per_minute: 60,
            // A school or an office is one address, with a refresh for each open page every quarter of an hour.
            refreshes_per_minute: 600,
            question_sets_per_day: 300,
            question_sets_pending: 50,
        }
    }
}

impl Default for UploadConfig {
    fn default() -> Self {
        Self {
            max_bytes: 50 * 1024 * 1024,
            url_ttl: Span::minutes(15),
            max_pages: 1_000,
            max_chars: 2_000_000,
            memory_bytes: 512 * 1024 * 1024,
            extraction_timeout: Span::seconds(60),
            extraction_concurrency: 2,
        }
    }
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            concurrency: 2,
            timeout: Span::minutes(10),
            lease: Span::seconds(30),
        }
    }
}

impl Default for QuestionSetConfig {
    fn default() -> Self {
        Self {
            pending_timeout: Span::minutes(60),
            max_retries: 3,
            retries_per_run: 1,
            cleanup_batch: 500,
        }
    }
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self {
            cleanup_batch: 1_000,
        }
    }
}

impl Default for LearnStatsConfig {
    fn default() -> Self {
        Self {
            member_batch: 5_000,
            streak_batch: 100_000,
        }
    }
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self {
            batch: 1_000,
            attempts: 10,
        }
    }
}

impl Default for NotificationConfig {
    fn default() -> Self {
        Self {
            streams_per_member: 8,
            streams: 20_000,
            poll: Span::seconds(5),
        }
    }
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            runs: Span::days(90),
            inbox: Span::days(14),
            audit: Span::days(365),
            notifications: Span::days(30),
            notifications_per_member: 1_000,
            tokens: Span::days(7),
            idempotency: Span::hours(24),
            uploads: Span::hours(24),
            batch: 5_000,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: "text".to_owned(),
        }
    }
}
