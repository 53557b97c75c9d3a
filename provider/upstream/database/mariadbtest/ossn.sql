CREATE DATABASE ossn CHARACTER SET utf8mb4;
CREATE TABLE ossn.ossn_users (
  guid bigint(20) NOT NULL AUTO_INCREMENT,
  type varchar(20) NOT NULL,
  username varchar(50) NOT NULL,
  email varchar(255) NOT NULL,
  password varchar(65) NOT NULL,
  salt varchar(8) NOT NULL,
  first_name text NOT NULL,
  last_name text NOT NULL,
  last_login int(11) NOT NULL,
  last_activity int(11) NOT NULL,
  activation varchar(32) DEFAULT NULL,
  time_created int(11) NOT NULL,
  time_updated int(11) DEFAULT NULL,
  PRIMARY KEY (guid),
  KEY username (username),
  KEY email (email)
) DEFAULT CHARSET=utf8mb4;
CREATE TABLE ossn.ossn_entities (
  guid bigint(20) NOT NULL AUTO_INCREMENT,
  owner_guid bigint(20) NOT NULL,
  type varchar(20) NOT NULL,
  subtype varchar(50) NOT NULL,
  PRIMARY KEY (guid),
  KEY owner_guid (owner_guid)
) DEFAULT CHARSET=utf8mb4;
CREATE TABLE ossn.ossn_entities_metadata (
  id bigint(20) NOT NULL AUTO_INCREMENT,
  guid bigint(20) NOT NULL,
  value longtext NOT NULL,
  PRIMARY KEY (id),
  KEY guid (guid)
) DEFAULT CHARSET=utf8mb4;
INSERT INTO ossn.ossn_users (guid, type, username, email, password, salt, first_name, last_name, last_login, last_activity, activation, time_created) VALUES
  (1, 'admin', 'adminuser', 'admin@example.com', '$2y$10$5b2Z72mwyUT3mhp7Qfbgp.HJXrifxqyTUiugaIdLc56He/ehUnsge', 'a1b2c3d4', 'Ada', 'Admin', 0, 0, '', 1700000000),
  (2, 'normal', 'alice', 'alice.mixed@example.com', '01c2099960cdb80f22b2ee433ae7a40c', 'ab12cd34', 'Alice', 'Example', 0, 0, '', 1700000000),
  (3, 'normal', 'carol', 'carol@example.com', '$2y$04$yx8OMu31K.yHQ7UUXhyOL.mtKYHn8YoNg1UwQgbKS2.HECKz3AI2G', '0f1e2d3c', 'Zoë', 'O''Brien & Sons', 0, 0, '', 1700000000),
  (4, 'normal', 'bobby', 'bobby@example.com', '$2y$04$DEMufU.cv5SBQ8b57fuHs.27s89DIK8GbKEbR67OZYCTT2sGY6dcW', '11223344', 'Bobby', 'Pending', 0, 0, 'c0ffee', 1700000000),
  (5, 'normal', 'nora', 'nora@example.com', '$2y$04$DEMufU.cv5SBQ8b57fuHs.27s89DIK8GbKEbR67OZYCTT2sGY6dcW', '11223344', 'Nora', 'Null', 0, 0, NULL, 1700000000),
  (6, 'normal', 'twin', 'twin@example.com', '01c2099960cdb80f22b2ee433ae7a40c', 'ab12cd34', 'First', 'Twin', 0, 0, '', 1700000000),
  (7, 'normal', 'twin', 'twin@example.com', '01c2099960cdb80f22b2ee433ae7a40c', 'ab12cd34', 'Second', 'Twin', 0, 0, '', 1700000000);
ALTER TABLE ossn.ossn_users MODIFY password varchar(255) NOT NULL;
INSERT INTO ossn.ossn_users (guid, type, username, email, password, salt, first_name, last_name, last_login, last_activity, activation, time_created) VALUES
  (8, 'normal', 'dave', 'dave@example.com', '$argon2i$v=19$m=1024,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$TGKxW0Jzhfc5WQbwyQ+MMmWukBHrN1kGm1bG5uAIoTA', '99887766', 'Dave', 'O&#039;Hara', 0, 0, '', 1700000000);
INSERT INTO ossn.ossn_entities (guid, owner_guid, type, subtype) VALUES
  (1, 1, 'user', 'birthdate'), (2, 1, 'user', 'gender'), (3, 1, 'user', 'password_algorithm'),
  (4, 2, 'user', 'birthdate'), (5, 2, 'user', 'gender'), (6, 8, 'user', 'language'),
  (7, 3, 'user', 'birthdate'), (8, 3, 'user', 'gender'), (9, 3, 'user', 'password_algorithm'),
  (10, 2, 'object', 'gender');
INSERT INTO ossn.ossn_entities_metadata (guid, value) VALUES
  (1, '01/02/1980'), (2, 'female'), (3, 'bcrypt'), (4, '14/03/1990'), (5, 'female'), (6, 'en'),
  (7, '14/03/1990'), (8, 'female'), (9, 'bcrypt'), (10, 'not hers');
